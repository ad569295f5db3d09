import CForwarder
import Glibc
import Lab

/// How often threads of another process enter a system call: kicks of a program that does not count them itself.
///
/// A tracepoint makes every system call of the machine a little slower while it is counted, so this is done in a stretch of
/// its own. Where there are no tracepoints there are no such numbers.
final class CallCounter {
  private let folder: String
  private var isMounted = false

  /// Mounts tracefs where we may, in a folder of our own: it is found only there.
  init(folder: String) {
    self.folder = folder + "/tracing"
    if mkdir(self.folder, 0o700) == 0 {
      isMounted = (try? Command.run(["mount", "-t", "tracefs", "lbd-bench", self.folder]))?.status == 0
    }
  }

  /// Calls while the body runs, by name (`sendto`, `poll`); nil where they cannot be counted.
  func count(_ names: [String], threads: [pid_t], _ body: () throws -> Void) throws -> [UInt64]? {
    let opened = names.map { name -> [Int32] in
      let text = TextFile.read("\(folder)/events/syscalls/sys_enter_\(name)/id").filter { $0.isNumber }
      guard let tracepoint = UInt64(text) else { return [] }
      return threads.map { cf_calls_open($0, tracepoint) }.filter { $0 >= 0 }
    }
    defer { opened.joined().forEach { _ = Glibc.close($0) } }
    guard opened.allSatisfy({ !$0.isEmpty }) else { return nil }
    let before = opened.map { $0.reduce(0) { $0 &+ cf_calls_read($1) } }
    try body()
    return zip(opened, before).map { descriptors, before in
      descriptors.reduce(0) { $0 &+ cf_calls_read($1) } &- before
    }
  }

  /// Unmounts.
  func close() {
    if isMounted { umount2(folder, Int32(MNT_DETACH)) }
    isMounted = false
    rmdir(folder)
  }
}
