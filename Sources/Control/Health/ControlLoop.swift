import NIOCore
import NIOPosix

/// The event loop of everything that talks to the network beside the director: checks, mails, the web. One thread, not one
/// of the workers', and not the director's.
final class ControlLoop {
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

  var eventLoop: any EventLoop { group.any() }

  /// Ends the thread, and waits for that. What runs on it has been stopped before.
  func stop() { try? group.syncShutdownGracefully() }
}
