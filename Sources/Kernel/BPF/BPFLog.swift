import CShims
import Glibc
import Synchronization

/// What libbpf prints, caught instead of shown.
///
/// libbpf explains a failure (the verifier's log, the kernel's extended acknowledgement) only by printing, through one
/// function per process. Ours appends to the capture in progress and drops everything otherwise, so that an expected
/// failure says nothing and an unexpected one ends up in the error's text. Control plane only.
enum BPFLog {
  /// Runs `body` and returns its result with what libbpf printed meanwhile, on any thread.
  static func capture<Result>(_ body: () -> Result) -> (Result, String) {
    // Captures exclude each other: two would mix their lines.
    lock.withLock { _ in
      _ = installed
      text.withLock { $0 = "" }
      let result = body()
      let captured = text.withLock { text -> String in
        defer { text = nil }
        return text ?? ""
      }
      return (result, captured)
    }
  }

  /// The last line of the kernel's extended acknowledgement, if it gave one: `Peer MTU is too large to set XDP`.
  static func kernelMessage(in text: String) -> String? {
    let marker = "Kernel error message: "
    return text.split(separator: "\n").last { $0.contains(marker) }.map { line in
      String(line.split(separator: marker, maxSplits: 1).last ?? "")
    }
  }

  /// The verifier's last word: the line of its log before the statistics, or else libbpf's own last line.
  static func verifierMessage(in text: String) -> String? {
    let lines = text.split(separator: "\n").map(String.init)
    guard let end = lines.lastIndex(where: { $0.contains("-- END PROG LOAD LOG --") }) else { return lines.last }
    let last = lines[..<end].last { line in
      !line.hasPrefix("processed ") && !line.hasPrefix("verification time") && !line.hasPrefix("stack depth")
    }
    guard let last, !last.contains("-- BEGIN PROG LOAD LOG --") else { return lines.last }
    return last
  }

  private static let lock = Mutex(())
  private static let text = Mutex<String?>(nil)
  private static let installed: Bool = {
    _ = libbpf_set_print { level, format, arguments in
      guard level != LIBBPF_DEBUG, let format else { return 0 }
      // A va_list is a pointer on some machines and none on others; the annotation makes both optional.
      let list: CVaListPointer? = arguments
      // A verifier's log is one message, of up to some hundred kilobytes.
      guard let list, let copy = lbd_format(format, list) else { return 0 }
      defer { free(copy) }
      let message = String(cString: copy)
      BPFLog.text.withLock { text in text?.append(message) }
      return 0
    }
    return true
  }()
}
