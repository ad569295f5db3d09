/// By what the lab's virtual services know their packets.
public enum LabServices: String, CaseIterable, Sendable {
  /// Address, protocol and port.
  case address
  /// A firewall mark: of TCP 1, of UDP 2, in IPv6 3 and 4.
  case mark
  /// Every port of the VIP; clients stay with their server, as such services must.
  case anyPort = "any-port"
  /// As by address; beside the two servers the director itself is a third.
  case local

  /// True when the director is one of the real servers.
  var hasLocalServer: Bool { self == .local }

  /// True when a packet's address, protocol and port say whose it is.
  var goByAddress: Bool { self == .address || self == .local }

  /// True when all of a client's connections go to one server.
  var isPersistent: Bool { self == .anyPort }

  /// What lines and files call it besides the mode.
  var suffix: String {
    switch self {
    case .address: ""
    case .mark, .anyPort: " by \(rawValue)"
    case .local: " with a local server"
    }
  }

  /// Modes that are tried with it in the matrix. What FULLNAT sends to is a port of its own, in the other three it may be
  /// the client's choice.
  func modes(isQuick: Bool) -> [LabMode] {
    switch self {
    case .address: LabMode.allCases
    case .mark: isQuick ? [.nat] : [.dr, .nat, .tun]
    case .anyPort: isQuick ? [.dr] : [.dr, .nat, .tun]
    case .local: isQuick ? [.nat, .dr] : [.dr, .nat, .tun]
    }
  }
}
