import CShims
import Glibc

/// A process that goes on in the background, and whoever started it waits to hear how that went.
public struct Daemon: ~Copyable {
  private let announcement: FileDescriptor

  /// Goes to the background: from here on this is another process, the leader of nothing, in a session of its own. The
  /// process that called ends as soon as the daemon says how it went, or ends itself.
  ///
  /// For a process with one thread only: a fork takes no other with it. What the daemon does it does `onNewThread`.
  public static func detach() throws -> Daemon {
    let step = "go to the background"
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw SystemError.current(step) }
    let listening = FileDescriptor(adopting: ends[0])
    let announcing = FileDescriptor(adopting: ends[1])
    _ = fcntl(announcing.number, F_SETFD, FD_CLOEXEC)
    let child = lbd_process_fork()
    guard child >= 0 else { throw SystemError.current(step) }
    if child > 0 {
      close(announcing.release())
      exitAsAnnounced(listening.number)
    }
    close(listening.release())
    setsid()
    // A leader of a session would get a terminal by opening one.
    let grandchild = lbd_process_fork()
    guard grandchild >= 0 else { throw SystemError.current(step) }
    if grandchild > 0 { _exit(0) }
    guard chdir("/") == 0 else { throw SystemError.current(step) }
    return Daemon(announcement: announcing)
  }

  /// Does what a daemon does on a thread that has come into being since the fork, and waits for it.
  ///
  /// Swift's runtime knows a thread by the number that it had when it first needed it, for the locks behind `swift_once`
  /// (FUTEX_LOCK_PI names the holder by it). The thread that a fork leaves still goes by a number of the former process:
  /// the first other thread that has to wait for it is told that there is no such holder, asks again, and so on forever.
  public static func onNewThread<Result>(_ body: @escaping () -> Result) throws -> Result {
    nonisolated(unsafe) let body = body
    let place = UnsafeMutablePointer<Result?>.allocate(capacity: 1)
    place.initialize(to: nil)
    defer {
      place.deinitialize(count: 1)
      place.deallocate()
    }
    nonisolated(unsafe) let shared = place
    try PinnedThread.start(name: "control", core: nil) { shared.pointee = body() }.join()
    guard let result = place.pointee else { throw SystemError("run the daemon", errno: ECANCELED) }
    return result
  }

  /// Lets the process that was called end with `code`. 0 is: up and running; from then on nothing goes to a terminal.
  public consuming func announce(_ code: Int32) {
    if code == 0 { Daemon.leaveTerminal() }
    var byte = UInt8(truncatingIfNeeded: code)
    _ = write(announcement.number, &byte, 1)
  }

  /// What a daemon that ends without a word has come to: an internal error.
  private static let unannounced: Int32 = 70

  private static func exitAsAnnounced(_ descriptor: Int32) -> Never {
    var byte: UInt8 = 0
    while true {
      let count = read(descriptor, &byte, 1)
      if count < 0 && errno == EINTR { continue }
      _exit(count == 1 ? Int32(byte) : unannounced)
    }
  }

  private static func leaveTerminal() {
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    guard null >= 0 else { return }
    for descriptor in STDIN_FILENO...STDERR_FILENO { dup2(null, descriptor) }
    if null > STDERR_FILENO { close(null) }
  }
}
