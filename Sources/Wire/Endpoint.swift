/// Transport protocols that can be balanced, by their IANA numbers.
public enum TransportProtocol: UInt8, Hashable, Sendable, CaseIterable {
  case tcp = 6
  case udp = 17
  case sctp = 132

  /// TCP, UDP or SCTP, as listings print them.
  public var name: String {
    switch self {
    case .tcp: "TCP"
    case .udp: "UDP"
    case .sctp: "SCTP"
    }
  }
}

/// An address and a port.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
  /// The address.
  public let address: IPAddress
  /// The port in host byte order; 0 means "any" where a service is meant.
  public let port: UInt16

  /// An address with a port.
  public init(address: IPAddress, port: UInt16) {
    self.address = address
    self.port = port
  }

  /// `10.0.0.1:80` or `[2001:db8::1]:80`.
  public var description: String {
    address.family == .ipv4 ? "\(address):\(port)" : "[\(address)]:\(port)"
  }
}
