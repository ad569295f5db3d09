import Config
import Glibc
import Kernel
import Logging

/// keepalived's log: to syslog, to standard error, to a file, each line as keepalived writes it there.
public final class KeepalivedLog: Sendable {
  private let system: SystemLog?
  private let usesConsole: Bool
  private let file: Int32?

  /// Opens what the command line asks for.
  /// - Throws: when the file cannot be opened.
  init(_ wanted: KeepalivedCommandLine.Log, identity: String) throws {
    system = wanted.usesSyslog ? SystemLog(identity: identity, facility: wanted.facility) : nil
    usesConsole = wanted.usesConsole
    file = try wanted.file.map { path in
      let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW
      // Open as long as the process lives.
      return try FileDescriptor(checking: open(path, flags, 0o640), "open log file \(path)").release()
    }
  }

  func write(_ message: String, _ level: Logger.Level) {
    // A message is a line, whatever names have got into it.
    let line = String(String.UnicodeScalarView(message.unicodeScalars.map { $0.isControl ? " " : $0 }))
    system?.write(line, level.severity)
    guard usesConsole || file != nil else { return }
    let word = level >= .error ? "error: " : level == .warning ? "warning: " : ""
    // Findings in a configuration have the word behind their place.
    let prefix = line.contains(" \(word)") ? "" : word
    let bytes = Array("\(KeepalivedLog.timestamp()): \(prefix)\(line)\n".utf8)
    // One write each, so that lines of several writers do not mix.
    if usesConsole { _ = Glibc.write(STDERR_FILENO, bytes, bytes.count) }
    if let file { _ = Glibc.write(file, bytes, bytes.count) }
  }

  /// `Wed Nov 25 20:09:48 2026`.
  private static func timestamp() -> String {
    var now = time(nil)
    var parts = tm()
    localtime_r(&now, &parts)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
      guard let base = buffer.baseAddress, strftime(base, 64, "%a %b %e %H:%M:%S %Y", &parts) > 0 else { return "" }
      return String(cString: base)
    }
  }

  /// A logger that writes here.
  func logger(isDetailed: Bool) -> Logger {
    var logger = Logger(label: "keepalived", factory: { _ in Handler(log: self) })
    logger.logLevel = isDetailed ? .debug : .info
    return logger
  }

  private struct Handler: LogHandler {
    let log: KeepalivedLog
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { log.write("\(event.message)", event.level) }
  }
}

extension Logger.Level {
  fileprivate var severity: SystemLog.Severity {
    switch self {
    case .trace, .debug: .debugging
    case .info: .information
    case .notice: .notice
    case .warning: .warning
    case .error, .critical: .error
    }
  }
}

extension Unicode.Scalar {
  fileprivate var isControl: Bool { value < 0x20 || value == 0x7f }
}
