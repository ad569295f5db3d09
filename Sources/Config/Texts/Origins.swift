// Where a model's values come from. A model's properties are plain values, ready for use; beside them it keeps, for each
// keyword that was written, the place. What is not in the list is a default.

/// The keywords of a block that were written, each with its place.
public struct Origins: Hashable, Sendable {
  /// One keyword.
  public struct Entry: Hashable, Sendable {
    /// As written.
    public let key: String
    /// Of the line that counts.
    public let position: Position
  }

  /// In the order in which they were first met.
  public private(set) var entries: [Entry] = []

  /// Nothing written: every value is a default.
  public init() {}

  /// Where the keyword was written; nil says that its value is a default.
  public func position(of key: String) -> Position? { entries.first { $0.key == key }?.position }

  /// Takes note of a keyword; a second line of it replaces the first.
  mutating func note(_ key: String, at position: Position) {
    if let index = entries.firstIndex(where: { $0.key == key }) {
      entries[index] = Entry(key: key, position: position)
    } else {
      entries.append(Entry(key: key, position: position))
    }
  }
}

/// A model of a block whose values can be traced to their lines.
public protocol Traced {
  /// Which keywords were written, and where.
  var origins: Origins { get set }
}

/// One value of a configuration for people: what it is, and where it was written.
public struct ExplainedSetting: Hashable, Sendable {
  /// The keyword.
  public let key: String
  /// As it would be written.
  public let value: String
  /// Where it was written; nil for a default.
  public let origin: Position?
}
