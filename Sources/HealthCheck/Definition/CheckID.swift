/// Names one check: of which real server, in which service.
///
/// Texts, as log lines and listings have them, so that nothing needs to be looked up to say what happened.
public struct CheckID: Hashable, Sendable, CustomStringConvertible {
  /// The service: `[10.0.0.100]:tcp:80`, `FWM 5`.
  public let service: String
  /// The real server: `[10.0.0.1]:tcp:80`.
  public let server: String
  /// Counts the checks of the server from 0.
  public let number: Int

  /// A check's name.
  public init(service: String, server: String, number: Int) {
    self.service = service
    self.server = server
    self.number = number
  }

  /// `[10.0.0.1]:tcp:80 of [10.0.0.100]:tcp:80, check 0`
  public var description: String { "\(server) of \(service), check \(number)" }
}

/// A check and its name.
public struct NamedCheck: Hashable, Sendable {
  /// What it is called.
  public let id: CheckID
  /// What it does.
  public let definition: CheckDefinition

  /// A check with a name.
  public init(id: CheckID, definition: CheckDefinition) {
    self.id = id
    self.definition = definition
  }
}
