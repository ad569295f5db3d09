/// A picture of some of a part's cells; `PART-NAME.svg`.
public protocol Plot: Sendable {
  /// Becomes a part of the file's name.
  var name: String { get }
  /// What it shows, for people.
  var title: String { get }
  /// The picture, or nil when no cell has what it shows.
  func svg(_ cells: [Cell]) -> String?
}
