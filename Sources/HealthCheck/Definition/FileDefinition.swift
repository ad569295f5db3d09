/// FILE_CHECK: a file with a number in it.
public struct FileDefinition: Hashable, Sendable {
  /// The file's path.
  public var path: String
  /// What the number is multiplied with to be added to the server's weight. 0: the server is down while the number is
  /// not 0.
  public var weight = 0
  /// `reverse`: the sign of the product turned round.
  public var isReversed = false

  /// A file that takes the server down.
  public init(path: String) { self.path = path }
}
