/// A forwarding method, and the configuration that lbd gets for it.
public enum WireMode: String, CaseIterable, Sendable {
  /// Direct routing.
  case dr
  /// Masquerading; requests only.
  case nat
  /// IP in IP.
  case tun
  /// Both addresses; requests only.
  case fullnat

  private var kind: String { self == .fullnat ? "FNAT" : rawValue.uppercased() }
  private var serverPort: Int { self == .nat || self == .fullnat ? 8080 : 80 }

  /// The report's name for a packet forwarded this way.
  var outcome: String {
    switch self {
    case .dr: "forwarded.directRouting"
    case .nat: "forwarded.masqueradeRequest"
    case .tun: "forwarded.tunnel"
    case .fullnat: "forwarded.fullNATRequest"
    }
  }

  /// One service, four real servers, no checks, room for twice the flows.
  func configuration(flows: Int) -> String {
    var text = "lbd {\n    interface d0 d1\n    connections \(max(65_536, flows * 2))\n"
    if self == .fullnat { text += "    local_ports 1024-65535\n" }
    text += "}\n\n"
    if self == .fullnat {
      text += "local_address_group inside {\n" + Rig.locals.map { "    \($0)\n" }.joined() + "}\n\n"
    }
    text += "virtual_server \(Rig.vip) 80 {\n    lb_algo rr\n    lb_kind \(kind)\n    protocol TCP\n"
    if self == .fullnat { text += "    laddr_group_name inside\n" }
    for server in Rig.servers { text += "    real_server \(server) \(serverPort) {\n        weight 1\n    }\n" }
    return text + "}\n"
  }
}
