/// A measurement that would not have measured what it says.
public struct BenchError: Error, CustomStringConvertible {
  /// Step, subject, what was found, remedy.
  public let description: String

  /// An error in words.
  public init(_ description: String) { self.description = description }
}
