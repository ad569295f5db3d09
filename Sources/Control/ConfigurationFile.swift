import Config
import Glibc
import Kernel

/// A configuration file on disk, with the files it includes.
public struct ConfigurationFile: Sendable {
  /// What a configuration is read for.
  public enum Purpose: Sendable {
    /// A director is to come up: a line without its value is no reason not to.
    case start
    /// Another configuration is in force and stays so when this one has any error.
    case reload
  }

  /// Its path, as the user wrote it.
  public let path: String
  /// What lines behind `@WORD` are for.
  public let configID: String
  /// Every file that is included must be there.
  public let needsAllFiles: Bool

  /// Refuses to read more than this, in bytes.
  public static let byteLimit = DiskFiles.byteLimit

  /// A file that may or may not be there.
  /// - Parameter configID: without one it is the machine's name up to its first dot.
  public init(path: String, configID: String? = nil, needsAllFiles: Bool = false) {
    self.path = path
    self.needsAllFiles = needsAllFiles
    self.configID = configID ?? ConfigurationFile.nodeName
  }

  /// Reads and parses it.
  /// - Parameter report: called with each diagnostic, `file:line:column: severity: what (remedy)`.
  /// - Throws: when the file cannot be read, or has errors.
  public func load(for purpose: Purpose = .start, report: (Diagnostic) -> Void) throws -> Configuration {
    let reading = try read()
    for diagnostic in reading.diagnostics { report(diagnostic) }
    let limit: Diagnostic.Severity = purpose == .start ? .error : .fault
    let errors = reading.diagnostics.filter { $0.severity >= limit }.count
    guard errors == 0 else { throw ConfigurationRefused(path: path, errorCount: errors) }
    return reading.configuration
  }

  /// Reads and parses it, whatever is wrong with it.
  /// - Throws: when the file cannot be read.
  public func read() throws -> ConfigurationReading {
    let text = try DiskFiles.text(of: path, step: "read configuration \(path)")
    var options = ReadingOptions(
      configID: configID, folder: folder, identity: text.identity, randomSeed: UInt64(bitPattern: Int64(time(nil))))
    options.needsAllFiles = needsAllFiles
    return readConfiguration(text, file: path, options, DiskFiles())
  }

  /// False when there is none.
  public var exists: Bool { access(path, F_OK) == 0 || errno != ENOENT }

  /// What it holds.
  func bytes() throws -> [UInt8] { try DiskFiles.text(of: path, step: "read configuration \(path)").bytes }

  /// The folder it is in, from the root.
  private var folder: String {
    let folder = path.lastIndex(of: "/").map { String(path[..<$0]) }
    if path.hasPrefix("/") { return folder ?? "" }
    let current = getcwd(nil, 0)
    defer { free(current) }
    let working = current.map { String(cString: $0) } ?? "."
    return folder.map { working + "/" + $0 } ?? working
  }

  private static var nodeName: String {
    var name = utsname()
    guard uname(&name) == 0 else { return "" }
    let whole = withUnsafeBytes(of: &name.nodename) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return whole.firstIndex(of: ".").map { String(whole[..<$0]) } ?? whole
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
