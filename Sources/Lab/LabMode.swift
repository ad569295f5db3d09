/// What a lab shows: a forwarding method and, for full NAT, how the servers are reached.
public enum LabMode: String, CaseIterable, Sendable {
  /// Direct routing: the frame goes on with the server's MAC; the server answers the client itself.
  case dr
  /// Masquerading: the servers' default route is the director.
  case nat
  /// IP in IP to servers in another subnet; they answer the client themselves.
  case tun
  /// The same over links that take no more than the client's.
  case tunNarrow = "tun-narrow"
  /// The same with GRE.
  case tunGRE = "tun-gre"
  /// The same with GUE.
  case tunGUE = "tun-gue"
  /// Both addresses are rewritten; the servers know no route to the client.
  case fullnat
  /// Full NAT with the servers in VLAN 100 behind the director's trunk.
  case fullnatVLAN = "fullnat-vlan"
  /// Full NAT with the servers behind a router.
  case fullnatRouted = "fullnat-routed"
  /// Full NAT; the servers are told the client in a TCP option.
  case fullnatTOA = "fullnat-toa"
  /// Full NAT; the servers are told the client by the PROXY protocol, version 1.
  case fullnatProxyV1 = "fullnat-proxy-v1"
  /// Version 2.
  case fullnatProxyV2 = "fullnat-proxy-v2"
  /// Full NAT; the VIP of IPv6 leads to the servers' IPv4 addresses, and the other way round.
  case fullnatTranslated = "fullnat-translated"

  /// The four forwarding methods in their plain form.
  public static let forwardingMethods: [LabMode] = [.dr, .nat, .tun, .fullnat]

  /// The keyword after `lb_kind`.
  public var kind: String {
    switch self {
    case .dr: "DR"
    case .nat: "NAT"
    case .tun, .tunNarrow: "TUN"
    case .tunGRE: "TUN type gre csum"
    case .tunGUE: "TUN type gue port 6080 csum"
    case .fullnat, .fullnatVLAN, .fullnatRouted, .fullnatTOA, .fullnatProxyV1, .fullnatProxyV2, .fullnatTranslated:
      "FNAT"
    }
  }

  /// True for the forms of full NAT.
  public var usesLocalAddresses: Bool { kind == "FNAT" }

  /// True when the method can rewrite the port: the lab then maps 80 to 8080.
  public var mapsPorts: Bool { !serversHoldVIP }

  /// True for the tunnels.
  var isTunnel: Bool { self == .tun || hasNarrowTunnel }
  /// True where the links leave no room for the tunnel's headers.
  var hasNarrowTunnel: Bool { self == .tunNarrow || self == .tunGRE || self == .tunGUE }
  /// Bytes that the tunnel takes from a packet besides the outer IP header.
  var tunnelByteCount: Int { self == .tunGRE ? 8 : self == .tunGUE ? 12 : 0 }

  /// What `lbd realserver setup` calls it.
  var realServerMode: String { isTunnel ? "tun" : rawValue }

  /// The directive by which servers learn who the client is.
  var conveyance: String? {
    switch self {
    case .fullnatTOA, .fullnatTranslated: "toa"
    case .fullnatProxyV1: "proxy_protocol v1"
    case .fullnatProxyV2: "proxy_protocol v2"
    default: nil
    }
  }

  /// True when connections begin with a PROXY protocol header.
  var usesProxyProtocol: Bool { self == .fullnatProxyV1 || self == .fullnatProxyV2 }

  /// True when the servers hold the VIP themselves.
  var serversHoldVIP: Bool { self == .dr || isTunnel }

  /// One line of what happens to a packet.
  public var summary: String {
    switch self {
    case .dr: "direct routing: new MAC, same packet; the server answers the client directly"
    case .nat: "masquerading: server address in, VIP out; answers come back through the director"
    case .tun: "tunnel: IP in IP to servers behind a router; they answer the client directly"
    case .tunNarrow: "tunnel: IP in IP to servers behind a router, over links of the client's MTU"
    case .tunGRE: "tunnel: GRE to servers behind a router, over links of the client's MTU"
    case .tunGUE: "tunnel: GUE to servers behind a router, over links of the client's MTU"
    case .fullnat: "full NAT: both addresses change; the servers know no route to the client"
    case .fullnatVLAN: "full NAT, servers in VLAN 100 behind the director's trunk"
    case .fullnatRouted: "full NAT, servers behind a router"
    case .fullnatTOA: "full NAT, the servers see the client: its address travels in a TCP option"
    case .fullnatProxyV1: "full NAT, the servers are told the client by the PROXY protocol, version 1"
    case .fullnatProxyV2: "full NAT, the servers are told the client by the PROXY protocol, version 2"
    case .fullnatTranslated: "full NAT between the families: IPv6 clients to IPv4 servers, and back"
    }
  }
}
