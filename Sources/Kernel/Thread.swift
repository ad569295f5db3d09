import CShims
import Glibc

/// A thread that stays on one core: what a worker runs on.
///
/// The core is set before the thread's first instruction, so that nothing it touches first (its stack, its table
/// slices) is placed by a visit to another core. Threads inherit their creator's cores: the program pins its main
/// thread to the control core before anything else, and every thread made behind its back (by a library) then stays
/// off the workers' cores.
///
/// The body must be `@Sendable`: a closure that inherits the main actor's isolation traps on any other thread.
public struct PinnedThread: ~Copyable, Sendable {
  private let thread: pthread_t

  private final class Body: Sendable {
    private let name: String
    private let body: @Sendable () -> Void

    init(name: String, _ body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }

    /// The thread takes its name itself: given by its creator it would have run without for a while.
    func run() {
      lbd_thread_name_current(name)
      body()
    }
  }

  private init(thread: pthread_t) {
    self.thread = thread
  }

  deinit {
    pthread_detach(thread)
  }

  /// Starts `body` on a thread of its own.
  /// - Parameters:
  ///   - name: shown by `ps -L`; the kernel keeps 15 bytes of it.
  ///   - core: where it runs, or nil for wherever its creator may.
  public static func start(
    name: String, core: Int?, body: @escaping @Sendable () -> Void
  ) throws -> PinnedThread {
    let place = core.map { " on core \($0)" } ?? ""
    if let core, !(0..<1024).contains(core) {
      throw SystemError("start thread \(name)\(place)", errno: EINVAL, remedy: "there is no such core")
    }
    let boxed = Unmanaged.passRetained(Body(name: name, body))
    var thread = pthread_t()
    let error = lbd_thread_start(
      &thread, Int32(core ?? -1),
      { argument in
        guard let argument else { return nil }
        Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
        return nil
      }, boxed.toOpaque())
    guard error == 0 else {
      boxed.release()
      throw SystemError(
        "start thread \(name)\(place)", errno: error,
        remedy: error == EINVAL ? "the core does not exist or is not in this process's cpuset" : nil)
    }
    return PinnedThread(thread: thread)
  }

  /// Time that it has had a processor; 0 when the kernel does not say.
  public var processorNanoseconds: UInt64 {
    var clock = clockid_t()
    var time = timespec()
    guard pthread_getcpuclockid(thread, &clock) == 0, clock_gettime(clock, &time) == 0 else { return 0 }
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// Waits until the body has returned.
  public consuming func join() {
    pthread_join(thread, nil)
    discard self
  }
}

/// The calling thread's cores.
public enum Thread {
  /// Keeps the calling thread, and threads it starts later, on one core.
  public static func pinCurrent(to core: Int) throws {
    let error = lbd_thread_pin_current(Int32(clamping: core))
    guard error == 0 else {
      throw SystemError(
        "pin thread to core \(core)", errno: error,
        remedy: "the core does not exist or is not in this process's cpuset")
    }
  }

  /// Numbers of the cores the calling thread may use, ascending.
  public static func availableCores() -> [Int] {
    var numbers = [Int32](repeating: 0, count: 1024)
    let count = lbd_thread_available_cores(&numbers, Int32(numbers.count))
    return count > 0 ? numbers[0..<Int(count)].map(Int.init) : []
  }
}
