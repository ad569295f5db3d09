import Config
import Glibc
import Kernel

/// A configuration file on disk.
public struct ConfigurationFile: Sendable {
  /// Its path, as the user wrote it.
  public let path: String

  /// Refuses to read more than this, in bytes.
  public static let byteLimit = 16 << 20

  /// A file that may or may not be there.
  public init(path: String) { self.path = path }

  /// Reads and parses it.
  /// - Parameter report: called with each diagnostic, `file:line:column: severity: what (remedy)`.
  /// - Throws: when the file cannot be read, or has errors.
  public func load(report: (Diagnostic) -> Void) throws -> Configuration {
    let (configuration, diagnostics) = parseConfiguration(bytes: try bytes(), file: path)
    for diagnostic in diagnostics { report(diagnostic) }
    let errors = diagnostics.filter { $0.severity == .error }.count
    guard errors == 0 else { throw ConfigurationRefused(path: path, errorCount: errors) }
    return configuration
  }

  /// False when there is none.
  public var exists: Bool { access(path, F_OK) == 0 || errno != ENOENT }

  /// What it holds.
  func bytes() throws -> [UInt8] {
    let file = try FileDescriptor(checking: open(path, O_RDONLY | O_CLOEXEC), "read configuration \(path)")
    var bytes: [UInt8] = []
    while true {
      let part = try [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
        let result = read(file.number, buffer.baseAddress, buffer.count)
        guard result >= 0 else { throw SystemError.current("read configuration \(path)") }
        count = result
      }
      if part.isEmpty { return bytes }
      bytes += part
      guard bytes.count <= ConfigurationFile.byteLimit else {
        throw SystemError(
          "read configuration \(path)", errno: EFBIG, remedy: "a configuration has at most 16 MiB")
      }
    }
  }
}

/// A configuration with errors.
public struct ConfigurationRefused: Error, CustomStringConvertible {
  let path: String
  let errorCount: Int

  /// The message.
  public var description: String {
    "\(path): refused, \(errorCount) error\(errorCount == 1 ? "" : "s"); nothing was changed"
  }
}
