import Glibc
import NIOCore
import NIOPosix

/// The event loop of everything that talks to the network beside the director: checks, mails, the web. One thread, not one
/// of the workers', and not the director's.
final class ControlLoop {
  private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

  /// Starts the thread.
  init() { ControlLoop.raiseDescriptorLimit() }

  var eventLoop: any EventLoop { group.any() }

  /// Thousands of checks have thousands of sockets: as many as the system lets this process have.
  private static func raiseDescriptorLimit() {
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
    limit.rlim_cur = limit.rlim_max
    // Without it checks that find no descriptor say so.
    _ = setrlimit(resource, &limit)
  }

  /// Ends the thread, and waits for that. What runs on it has been stopped before.
  func stop() { try? group.syncShutdownGracefully() }
}
