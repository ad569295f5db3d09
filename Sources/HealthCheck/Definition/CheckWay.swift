import Wire

// `through_vip`: a check that goes the way of clients' packets. What that way is, only the director knows; for a check it is
// an address to be bound to, a device to go by, and somebody who must be told of its local port.

/// The way of clients' packets to one real server of one service.
public struct CheckWay: Hashable, Sendable {
  /// TCP or UDP.
  public var transport: TransportProtocol
  /// VIP and port.
  public var service: Endpoint
  /// The real server.
  public var server: Endpoint

  /// A way.
  public init(_ transport: TransportProtocol, service: Endpoint, server: Endpoint) {
    self.transport = transport
    self.service = service
    self.server = server
  }
}

/// Whoever knows the ways.
public protocol CheckWays: Sendable {
  /// Where a check by this way departs from.
  /// - Throws: `CheckError.cannotRun` when there is no such way now, which says nothing about the server.
  func departure(by way: CheckWay) throws(CheckError) -> CheckDeparture
}

/// Where a check by a way departs from.
public struct CheckDeparture: Sendable {
  /// The local address that the server answers to.
  public var source: IPAddress
  /// Index of the device.
  public var device: UInt32
  /// Takes note of the local port; before anything is sent.
  public var note: @Sendable (UInt16) -> Void

  /// A departure.
  public init(source: IPAddress, device: UInt32, note: @escaping @Sendable (UInt16) -> Void) {
    self.source = source
    self.device = device
    self.note = note
  }
}

extension CheckTarget {
  /// The target with what its way, if it has one, makes of it; and who is to be told of the local port.
  func departing(by ways: (any CheckWays)?) throws(CheckError) -> (target: CheckTarget, departure: CheckDeparture?) {
    guard let way else { return (self, nil) }
    guard let ways else { throw .definition("through_vip: nobody here knows the way of clients' packets") }
    let departure = try ways.departure(by: way)
    var target = self
    target.bindAddress = bindAddress ?? departure.source
    target.interface = nil
    return (target, departure)
  }
}
