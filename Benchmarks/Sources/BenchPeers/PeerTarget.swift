/// Something that carries the client's traffic to the servers; or, to hold the others against, nothing at all.
public struct PeerTarget: Sendable, Hashable {
  /// What runs on the director.
  enum Kind: Sendable, Hashable {
    /// The client's route leads to the servers; the director sees nothing.
    case direct
    /// Ours, with a forwarding method (as after `lb_kind`) and a port.
    case lbd(kind: String, port: String)
    /// The kernel's address translation; its work is steered to the director's core, or done where packets arrive.
    case nftables(isSteered: Bool)
    /// A proxy in one thread.
    case haproxy
    /// A proxy in one worker.
    case nginx
  }

  let kind: Kind
  /// lbd, direct, or the peer's name.
  public let name: String
  /// The forwarding method.
  public let method: String
  /// How packets reach it.
  public let port: String

  private init(_ kind: Kind, _ name: String, _ method: String, _ port: String) {
    self.kind = kind
    self.name = name
    self.method = method
    self.port = port
  }

  var isOurs: Bool { if case .lbd = kind { true } else { false } }
  var isPeer: Bool { !isOurs && kind != .direct }
  /// The director's address towards the servers. Each peer has one of its own: the servers keep connections that are
  /// over for a minute, and refuse a new one with the same addresses and ports that seems older by its timestamp. Those
  /// that came from one peer would hold up the next.
  var source: String? { PeerTarget.all.filter(\.isPeer).firstIndex(of: self).map { "10.0.1.\(21 + $0)" } }
  /// For progress and remarks.
  var label: String { [name, method, port].filter { $0 != "-" }.joined(separator: " ") }

  private static func lbd(_ method: String, _ kind: String, _ port: String = "xdp") -> PeerTarget {
    PeerTarget(.lbd(kind: kind, port: port), "lbd", method, port)
  }

  /// All of them, in the order of the table.
  static let all: [PeerTarget] = [
    PeerTarget(.direct, "direct", "-", "-"),
    lbd("DR", "DR"), lbd("DR", "DR", "packet"), lbd("NAT", "NAT"), lbd("FULLNAT", "FNAT"), lbd("TUN", "TUN"),
    PeerTarget(.nftables(isSteered: true), "nftables", "DNAT", "steered"),
    PeerTarget(.nftables(isSteered: false), "nftables", "DNAT", "unsteered"),
    PeerTarget(.haproxy, "haproxy", "tcp", "sockets"),
    PeerTarget(.nginx, "nginx", "stream", "sockets"),
  ]

  /// Those whose labels contain one of the words.
  static func matching(_ words: [String]) -> [PeerTarget] {
    words.isEmpty ? all : all.filter { target in words.contains { target.label.contains($0) } }
  }
}
