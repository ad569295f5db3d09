// Where included files come from. This module reads no files itself; Control does, and tests have theirs in memory.

/// One file of a configuration.
public struct ConfigurationText: Sendable {
  /// What the file holds.
  public var bytes: [UInt8]
  /// The same for every name of one file, so that a file that includes itself is noticed.
  public var identity: String

  /// A file's content.
  public init(bytes: [UInt8], identity: String) {
    self.bytes = bytes
    self.identity = identity
  }
}

/// Why a file cannot be had.
public struct ConfigurationFileFailure: Error, CustomStringConvertible {
  /// Ends the sentence "FILE cannot be read: ".
  public let description: String

  /// A reason.
  public init(_ description: String) { self.description = description }
}

/// Files that a configuration may include.
public protocol ConfigurationFiles {
  /// The names of the files that match a pattern of glob(7), sorted; without wildcards, the name itself if there is such a file.
  func names(matching pattern: String) -> [String]
  /// A file's content, if it has at most so many bytes.
  func text(of name: String, atMost byteCount: Int) throws(ConfigurationFileFailure) -> ConfigurationText
}

/// What a configuration means depends on where it is read.
public struct ReadingOptions: Sendable {
  /// What `@WORD` is compared with, and `${_INSTANCE}`.
  public var configID: String
  /// The folder of the file, for `${_PWD}` and for includes.
  public var folder: String
  /// The same for every name of the file, as included files have it.
  public var identity: String
  /// What `${_RANDOM}` begins with.
  public var randomSeed: UInt64
  /// Every include is read as `includea`: what it names must be there.
  public var needsAllFiles = false

  /// Options; without any, of a file in the current folder.
  public init(configID: String = "", folder: String = ".", identity: String = "", randomSeed: UInt64 = 0) {
    self.configID = configID
    self.folder = folder
    self.identity = identity
    self.randomSeed = randomSeed
  }
}

/// There is nothing to include where a text comes from no file.
struct NoFiles: ConfigurationFiles {
  func names(matching pattern: String) -> [String] { [] }

  func text(of name: String, atMost byteCount: Int) throws(ConfigurationFileFailure) -> ConfigurationText {
    throw ConfigurationFileFailure("this text comes from no file, it can include none")
  }
}
