import Glibc
import Subprocess

/// Scripts run on every processor that the system lets this process have.
///
/// lbd's threads are pinned: workers to theirs, everything else to what is left. A new process has the processors of the
/// thread that has made it, and a thread those of the thread that has made it. Subprocess makes processes on one thread,
/// which comes into being when it is first needed. So that is done once on purpose, by a thread that has all processors for
/// that moment. No process has to be touched afterwards, which would need CAP_SYS_NICE and be too late for what the script
/// has started by then.
enum Processors {
  private typealias Call = @convention(c) (pid_t, Int, UnsafeMutableRawPointer) -> Int32

  /// Makes the thread that starts scripts; later calls do nothing.
  static func freeScripts() { _ = isFree }

  private static let isFree: Bool = {
    let former = mask()
    set([UInt8](repeating: 0xff, count: maskBytes))
    defer { if let former { set(former) } }
    // Runs at once, on this thread, until it first waits: by then the other thread is there. A folder is no program, so
    // nothing is started.
    Task.immediate { _ = try? await run(.path("/"), output: .discarded, error: .discarded) }
    return true
  }()

  /// 8192 processors, the most that Linux is built for.
  private static let maskBytes = 1024

  /// Those of the calling thread; nil when the system does not say.
  static func mask() -> [UInt8]? {
    var mask = [UInt8](repeating: 0, count: maskBytes)
    guard let call = call("sched_getaffinity"), call(0, mask.count, &mask) >= 0 else { return nil }
    return mask
  }

  /// Those of the calling thread, as far as the system lets it have them.
  static func set(_ mask: [UInt8]) {
    var mask = mask
    _ = call("sched_setaffinity")?(0, mask.count, &mask)
  }

  /// Swift's Glibc module does not have it: it is declared for _GNU_SOURCE only.
  private static func call(_ name: String) -> Call? {
    dlsym(nil, name).map { unsafeBitCast($0, to: Call.self) }
  }
}
