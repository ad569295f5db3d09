import Wire

// What the words of a service about health mean together with its servers: quorum and hysteresis must be possible, a sorry
// server must be one that packets can reach.

extension VirtualService {
  /// Takes the block's words, and brings them within what its servers can do.
  mutating func setMonitoring(
    _ words: ServiceMonitoring, at position: Position, _ findings: inout [Diagnostic]
  ) {
    monitoring = words
    let total = realServers.reduce(0) { $0 + Int($1.weight) }
    if monitoring.quorum > max(total, 1) {
      findings.append(
        Diagnostic(
          .warning, at: words.origins.position(of: "quorum") ?? position,
          "quorum \(words.quorum) is more than all real servers weigh, it is \(max(total, 1))",
          remedy: "lower it, or give the servers more weight"))
      monitoring.quorum = max(total, 1)
    }
    if monitoring.hysteresis >= monitoring.quorum, monitoring.hysteresis > 0 {
      findings.append(
        Diagnostic(
          .warning, at: words.origins.position(of: "hysteresis") ?? position,
          "hysteresis \(words.hysteresis) is not below the quorum, it is \(monitoring.quorum - 1)",
          remedy: "write less than \(monitoring.quorum)"))
      monitoring.hysteresis = monitoring.quorum - 1
    }
    if case .mark = key, monitoring.suspendsWithoutAddress {
      findings.append(
        Diagnostic(
          .warning, at: words.origins.position(of: "ha_suspend") ?? position,
          "'ha_suspend' is ignored, a mark has no address"))
      monitoring.suspendsWithoutAddress = false
    }
  }

  /// How packets reach the sorry server.
  public var sorryServerMethod: ForwardingMethod { monitoring.sorryServerMethod ?? forwardingMethod }
}

extension ServiceRules {
  /// The sorry server obeys the same rules of ports and families as the others.
  func checkSorryServer(
    _ service: inout VirtualService, _ block: VirtualServerBlock, _ findings: inout [Diagnostic]
  ) {
    guard let sorry = service.sorryServer else { return }
    let method = service.sorryServerMethod
    if sorry.address.family != service.key.family && !method.isTunnelling && method != .fullNAT {
      findings.append(
        Diagnostic(
          .error, at: block.position, "sorry_server \(sorry.address) and \(service.key) are of different families",
          remedy: "TUN and FNAT carry one family over the other"))
      service.sorryServer = nil
      return
    }
    if case .address = service.key, !method.translatesPorts, sorry.port != service.key.port {
      findings.append(
        Diagnostic(
          .warning, at: block.position,
          "port \(sorry.port) of sorry_server \(sorry.address) is taken as \(service.key.port), \(method.name) cannot change ports",
          remedy: "write port \(service.key.port), or use NAT or FNAT"))
      service.sorryServer = Endpoint(address: sorry.address, port: service.key.port)
    }
    if let twin = service.realServers.first(where: { $0.endpoint == service.sorryServer }),
      twin.monitoring.inhibitsOnFailure != service.monitoring.inhibitsSorryServer
    {
      findings.append(
        Diagnostic(
          .warning, at: block.position,
          "sorry_server \(sorry) is a real_server as well, with another word about inhibiting: its own is taken",
          remedy: "give both the same"))
      service.monitoring.inhibitsSorryServer = twin.monitoring.inhibitsOnFailure
    }
  }
}

extension ServiceMonitoring {
  /// True when servers that say nothing have every default.
  var isPlain: Bool { inhibitsOnFailure == nil && virtualHost == nil && timing == CheckTiming() }
}

extension GlobalSettings {
  /// The same for `global_defs`.
  var isPlainForServers: Bool { mail.alertsForServers && !logsAllCheckFailures }
}
