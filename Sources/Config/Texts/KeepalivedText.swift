import Wire

/// Services as keepalived.conf: for those who come from ipvsadm.
public enum KeepalivedText {
  /// A file that makes these services, or as much of it as the language can say.
  /// - Parameters:
  ///   - timeouts: written when they are not the defaults.
  ///   - localAddresses: of FULLNAT, by service.
  public static func text(
    _ services: [VirtualService], timeouts: ConnectionTimeouts = ConnectionTimeouts(),
    localAddresses: [ServiceKey: [IPAddress]] = [:]
  ) -> String {
    var parts: [String] = []
    if timeouts != ConnectionTimeouts() {
      parts.append(
        """
        global_defs {
            lvs_timeouts tcp \(timeouts.tcpSeconds) tcpfin \(timeouts.tcpFinSeconds) udp \(timeouts.udpSeconds)
        }

        """)
    }
    var groups: [[IPAddress]: String] = [:]
    for service in services {
      guard let addresses = localAddresses[service.key], !addresses.isEmpty, groups[addresses] == nil else { continue }
      let name = "local-\(groups.count + 1)"
      groups[addresses] = name
      let lines = addresses.map { "    \($0)\n" }.joined()
      parts.append("local_address_group \(name) {\n\(lines)}\n")
    }
    for service in services {
      parts.append(text(of: service, localGroup: localAddresses[service.key].flatMap { groups[$0] }))
    }
    return parts.joined(separator: "\n")
  }

  private static func text(of service: VirtualService, localGroup: String?) -> String {
    guard let first = service.realServers.first else {
      return "# \(service.key) has no real servers; in this language a service has some.\n"
    }
    let method = service.forwardingMethod(to: first)
    var lines = ["lb_algo \(service.schedulerName)"] + flags(of: service) + ["lb_kind \(method.words)"]
    switch service.key {
    case .address(let transport, _): lines.append("protocol \(transport.name)")
    case .mark(_, let family): lines.append("ip_family \(family == .ipv4 ? "inet" : "inet6")")
    }
    lines += persistence(of: service)
    if service.onePacket { lines.append("ops") }
    if let localGroup { lines.append("laddr_group_name \(localGroup)") }
    var text = "virtual_server \(words(of: service.key)) {\n"
    for line in lines { text += "    \(line)\n" }
    for server in service.realServers {
      let port = server.endpoint.port == 0 ? "" : " \(server.endpoint.port)"
      text += "    real_server \(server.endpoint.address)\(port) {\n        weight \(server.weight)\n"
      let own = service.forwardingMethod(to: server)
      if own != method { text += "        lvs_method \(own.words)\n" }
      if server.upperThreshold > 0 { text += "        uthreshold \(server.upperThreshold)\n" }
      if server.lowerThreshold > 0 { text += "        lthreshold \(server.lowerThreshold)\n" }
      text += "    }\n"
    }
    return text + "}\n"
  }

  private static func words(of key: ServiceKey) -> String {
    switch key {
    case .address(_, let endpoint): "\(endpoint.address) \(endpoint.port)"
    case .mark(let mark, _): "fwmark \(mark)"
    }
  }

  private static func flags(of service: VirtualService) -> [String] {
    let flags = service.schedulerFlags
    var words: [String] = []
    let isHashing = service.schedulerName == "sh" || service.schedulerName == "mh"
    if flags.contains(.flag1) { words.append(isHashing ? "\(service.schedulerName)-fallback" : "flag-1") }
    if flags.contains(.flag2) { words.append(isHashing ? "\(service.schedulerName)-port" : "flag-2") }
    if flags.contains(.flag3) { words.append("flag-3") }
    return words
  }

  private static func persistence(of service: VirtualService) -> [String] {
    guard let seconds = service.persistenceSeconds else { return [] }
    var lines = ["persistence_timeout \(seconds)"]
    switch service.persistenceMask {
    case .ipv4(let mask) where mask != .max: lines.append("persistence_granularity \(IPAddress(v4: mask))")
    case .ipv6(let length) where length != 128: lines.append("persistence_granularity \(length)")
    default: break
    }
    if let engine = service.persistenceEngine { lines.append("persistence_engine \(engine)") }
    return lines
  }
}
