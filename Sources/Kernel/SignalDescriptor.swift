import CShims
import Glibc
import Synchronization

/// Signals as something to read (signalfd), so that they are handled between other work and not in the middle of it.
///
/// Make it first thing in `main`, before any thread exists: the signals are blocked in the calling thread and in those
/// it starts afterwards; a thread that existed before would still die of them. The main function must be synchronous:
/// an asynchronous one parks the main thread with all signals unblocked.
///
/// A library may yet have a thread that waits with no signal blocked, as Subprocess has. So the signals have a handler: one that
/// is delivered to such a thread is sent on to the thread that reads them, where it stays pending until it is read.
public struct SignalDescriptor: ~Copyable, Sendable {
  /// Terminate, interrupt, reload, and the two for the operator's use.
  public static var usual: [Int32] { [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2] }

  private let file: FileDescriptor
  /// The thread that reads.
  private static let reader = Atomic<Int32>(0)

  /// Blocks `signals` and makes them readable. SIGPIPE is ignored as well: a peer that went away is an errno.
  public init(_ signals: [Int32] = SignalDescriptor.usual) throws {
    var set = sigset_t()
    sigemptyset(&set)
    for number in signals { sigaddset(&set, number) }
    let error = pthread_sigmask(SIG_BLOCK, &set, nil)
    guard error == 0 else { throw SystemError("block signals", errno: error) }
    SignalDescriptor.reader.store(lbd_thread_number(), ordering: .sequentiallyConsistent)
    for number in signals {
      signal(number) { lbd_signal_thread(SignalDescriptor.reader.load(ordering: .sequentiallyConsistent), $0) }
    }
    signal(SIGPIPE, SIG_IGN)
    file = try FileDescriptor(
      checking: signalfd(-1, &set, Int32(SFD_NONBLOCK | SFD_CLOEXEC)), "create signal descriptor")
  }

  /// To be waited for.
  public var descriptor: Int32 { file.number }

  /// The number of the next signal that has come, or nil.
  public func next() -> Int32? {
    var information = signalfd_siginfo()
    let size = MemoryLayout<signalfd_siginfo>.size
    return read(file.number, &information, size) == size ? Int32(information.ssi_signo) : nil
  }
}
