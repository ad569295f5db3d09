import Wire

/// `keepalived_check.data`: the virtual servers as they are configured, in keepalived's layout.
public enum KeepalivedServices {
  /// The topology; without health checks every server counts as up.
  public static func data(_ services: [VirtualService]) -> String {
    "------< LVS Topology >------\n" + services.map(text).joined()
  }

  private static func text(_ service: VirtualService) -> String {
    var lines = [" ------< Virtual server >------"]
    switch service.key {
    case .address(_, let endpoint): lines.append("   VIP = \(endpoint.address), VPORT = \(endpoint.port)")
    case .mark(let mark, let family):
      lines.append("   VS FWMARK = \(mark)")
      lines.append("   Address family = \(family == .ipv4 ? "inet" : "inet6")")
    }
    lines.append("   lvs_sched = \(service.schedulerName)")
    if let seconds = service.persistenceSeconds { lines.append("   persistence timeout = \(seconds)") }
    if case .address(let transport, _) = service.key {
      lines.append("   protocol = \(transport.name)")
    } else {
      lines.append("   protocol = none")
    }
    lines.append("   One packet scheduling = \(service.onePacket ? "enabled" : "disabled")")
    let monitoring = service.monitoring
    lines.append("   quorum = \(monitoring.quorum), hysteresis = \(monitoring.hysteresis)")
    if let server = service.sorryServer { lines.append("   sorry server = \(server)") }
    lines.append("   lb_kind = \(service.forwardingMethod.name)")
    for server in service.realServers {
      lines.append("   ------< Real server >------")
      lines.append(
        "   RIP = \(server.endpoint.address), RPORT = \(server.endpoint.port), WEIGHT = \(server.weight)"
          + " EFF WEIGHT = \(server.weight)")
      if let method = server.methodOverride { lines.append("     lb_kind = \(method.name)") }
      if server.upperThreshold > 0 {
        lines.append("     connection limit range = \(server.lowerThreshold) -> \(server.upperThreshold)")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
