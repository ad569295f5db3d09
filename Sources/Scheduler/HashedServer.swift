/// A real server as schedulers see it when their tables are made.
@frozen
public struct HashedServer: Hashable, Sendable {
  /// 0 (or less) is quiescent.
  public var weight: Int32
  /// The weight it was added with or, since then, given last, not counting edits to 0.
  public var lastWeight: Int32
  /// What tells it apart: its folded address (`AddressFold`) plus its port.
  public var place: UInt32
  /// The same without chance likeness, for the caches of lblc and lblcr (`ServerIdentity`).
  public var identity: UInt64

  /// A server by its weights, folded address and port, and identity.
  public init(weight: Int32, lastWeight: Int32, addressFold: UInt32, port: UInt16, identity: UInt64 = 0) {
    self.weight = weight
    self.lastWeight = lastWeight
    place = addressFold &+ UInt32(port)
    self.identity = identity
  }
}
