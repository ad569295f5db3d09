// Why an advert does not exist for the election. Each reason is a counter, and a line in the log now and then: two
// routers that refuse each other's adverts are both master, and whoever looks for the reason must find it.

/// Why an advert was refused.
public enum Rejection: String, Hashable, Sendable, CaseIterable {
  /// Not a whole VRRP datagram.
  case malformed
  /// With an authentication header where none is configured, or without; or of another authentication type.
  case authenticationMismatch = "authentication_mismatch"
  /// Not as long as its number of addresses makes it.
  case length
  /// It has come over a router.
  case hopLimit = "hop_limit"
  /// The other version of the protocol.
  case version
  /// An authentication type that does not exist.
  case invalidAuthentication = "invalid_authentication"
  /// The wrong password or check value, or a sequence number that has been used.
  case authentication
  /// Version 2: another interval than ours. Version 3: an interval of nothing.
  case interval
  /// A message that is not an advertisement.
  case type
  /// Wrong by any of the conventions.
  case checksum
  /// Sent to a group where peers are configured, or the other way round.
  case destination
  /// From an address that is no peer's.
  case unknownPeer = "unknown_peer"
  /// From a peer, with a hop limit that is not its own.
  case peerHopLimit = "peer_hop_limit"
  /// From our own address: our advert came back, or another host has our address.
  case ownAddress = "own_address"

  /// What the log says, in keepalived's words where it has some.
  public var phrase: String {
    switch self {
    case .malformed: "received a malformed VRRP packet"
    case .authenticationMismatch: "authentication type mismatch"
    case .length: "invalid packet length"
    case .hopLimit: "invalid TTL/hop limit, expected 255"
    case .version: "invalid version, another one is configured"
    case .invalidAuthentication: "invalid authentication type"
    case .authentication: "received an invalid passwd!, ICV or sequence number"
    case .interval: "advertisement interval mismatch"
    case .type: "invalid packet type"
    case .checksum: "invalid checksum"
    case .destination: "expected multicast/unicast, received the other"
    case .unknownPeer: "unicast source is not a configured peer"
    case .peerHopLimit: "hop limit outside the peer's min_ttl and max_ttl"
    case .ownAddress: "received an advert from our own address"
    }
  }
}

/// An advert's addresses are not ours. It counts all the same: to refuse it would make two masters of a pair whose
/// configurations are changed one after the other.
public enum AddressMismatch: Hashable, Sendable {
  /// Another number of addresses.
  case count(received: Int, own: Int)
  /// One of ours is not in it.
  case missing(String)

  /// What the log says.
  func phrase(virtualRouter: UInt8) -> String {
    switch self {
    case .count(let received, let own): "received \(received) addresses in the advert, expected \(own)"
    case .missing(let address):
      "ip address associated with VRID \(virtualRouter) not present in MASTER advert: \(address)"
    }
  }
}
