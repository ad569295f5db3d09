/// Why the lab could not do something, in one line for the user.
public struct LabFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// The line.
  public let description: String

  /// A failure with its line.
  public init(_ description: String) { self.description = description }

  /// Ctrl-C or SIGTERM arrived.
  public static let interrupted = LabFailure("interrupted")
}
