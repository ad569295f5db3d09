import Wire

// What the lines of a `virtual_server` block mean together: defaults, the ports and families that go with a forwarding
// method, groups spread out into services, blocks for one service merged.
//
// keepalived hands each block to the kernel on its own, where a second block for one service adds its real servers and
// loses everything else; here the blocks become one service, with a warning.

/// Turns blocks into services.
struct ServiceRules {
  private(set) var services: [VirtualService] = []
  private var indices: [ServiceKey: Int] = [:]
  /// For each service, which real servers it has.
  private var endpoints: [Set<Endpoint>] = []
  private var realServerCount = 0
  private var isFull = false
  private let groups: [String: VirtualServerGroup]
  private let globals: GlobalSettings

  init(groups: [String: VirtualServerGroup], globals: GlobalSettings) {
    self.groups = groups
    self.globals = globals
  }

  /// Adds the services of one block.
  mutating func add(_ block: VirtualServerBlock, _ diagnostics: inout DiagnosticList) {
    guard !isFull else { return }
    guard !block.realServers.isEmpty else {
      diagnostics.warning(
        at: block.position, "this virtual_server has no real_server, it is left out", remedy: "add a real_server")
      return
    }
    let keys = keys(of: block, &diagnostics)
    guard let first = keys.first else { return }
    let monitoring = block.realServers.map { server in
      server.monitoring.isEmpty && block.monitoring.isPlain && globals.isPlainForServers
        ? nil : Shared(server.monitoring.resolved(under: block.monitoring, globals))
    }
    reportDefaults(of: block, port: first.port, &diagnostics)
    var reported: Set<Diagnostic> = []
    for key in keys {
      guard hasRoom(for: block, &diagnostics) else { return }
      var findings: [Diagnostic] = []
      let service = service(key, from: block, monitoring, &findings)
      for finding in findings where reported.insert(finding).inserted { diagnostics.add(finding) }
      guard !service.realServers.isEmpty else { continue }
      merge(service, &diagnostics)
    }
  }

  private mutating func hasRoom(for block: VirtualServerBlock, _ diagnostics: inout DiagnosticList) -> Bool {
    realServerCount += block.realServers.count
    guard services.count >= Defaults.serviceCountMax || realServerCount > Defaults.realServerCountMax else {
      return true
    }
    isFull = true
    diagnostics.error(
      at: block.position,
      "more than \(Defaults.serviceCountMax) services or \(Defaults.realServerCountMax) real servers in all",
      remedy: "the rest is not read; use fewer")
    return false
  }

  private func keys(of block: VirtualServerBlock, _ diagnostics: inout DiagnosticList) -> [ServiceKey] {
    var endpoints: [Endpoint] = []
    var marks: [UInt32] = []
    switch block.target {
    case .mark(let mark): marks = [mark]
    case .endpoint(let endpoint): endpoints = [endpoint]
    case .group(let name):
      guard let group = groups[name.text] else {
        let candidates = groups.count <= 100 ? Array(groups.keys) : []
        let like = nearest(to: name.text, among: candidates).map { "did you mean \(quoted($0))?" }
        diagnostics.error(
          at: name.position, "there is no virtual_server_group \(quoted(name.text))",
          remedy: like ?? "add 'virtual_server_group NAME { IP PORT }'")
        return []
      }
      endpoints = group.endpoints
      marks = group.marks
    }
    let isPersistent = block.persistenceSeconds != nil || block.persistenceMask != nil
    guard isPersistent || endpoints.allSatisfy({ $0.port != 0 }) else {
      diagnostics.error(
        at: block.position, "port 0, every port of an address, needs persistence",
        remedy: "write IP PORT, or add 'persistence_timeout'")
      return []
    }
    // Without a word about it, a mark is of the family of what it leads to.
    let family = block.markFamily ?? block.realServers.first?.address.family ?? .ipv4
    return endpoints.map { .address(block.transport ?? .udp, $0) } + marks.map { .mark($0, family) }
  }

  private func reportDefaults(of block: VirtualServerBlock, port: UInt16, _ diagnostics: inout DiagnosticList) {
    if block.transport == nil, port != 0 {
      let isWeb = ServiceRules.tcpPorts.contains(port)
      diagnostics.warning(
        at: block.position,
        "no 'protocol': the service is UDP" + (isWeb ? ", though port \(port) is surely meant for TCP" : ""),
        remedy: "add 'protocol TCP' or 'protocol UDP'")
    }
    if block.schedulerName == nil { diagnostics.note(at: block.position, "no 'lb_algo': the scheduler is wlc") }
    if block.method == nil { diagnostics.note(at: block.position, "no 'lb_kind': the forwarding method is NAT") }
    if let position = block.onePacket, !block.allowsOnePacket {
      diagnostics.warning(at: position, "'ops' is for UDP services and marks only, it is ignored")
    }
  }

  private static let tcpPorts: Set<UInt16> = [
    20, 21, 22, 23, 25, 80, 110, 143, 389, 443, 465, 587, 636, 993, 995, 1433, 3306, 3389, 5432, 6379, 8000, 8080, 8443,
  ]

  private func service(
    _ key: ServiceKey, from block: VirtualServerBlock, _ monitoring: [Shared<ServerMonitoring>?],
    _ findings: inout [Diagnostic]
  ) -> VirtualService {
    var service = VirtualService(key: key)
    service.position = block.position
    if case .group(let name) = block.target { service.groupName = name.text }
    service.schedulerName = block.schedulerName ?? Defaults.schedulerName
    service.schedulerFlags = block.schedulerFlags
    service.forwardingMethod = block.method ?? Defaults.forwardingMethod
    service.onePacket = block.onePacket != nil && block.allowsOnePacket
    service.persistenceEngine = block.persistenceEngine
    service.localAddressGroup = block.localAddressGroup?.text
    service.clientConveyance = block.conveyance?.value ?? .none
    service.sorryServer = block.sorryServer.map {
      Endpoint(address: $0.address, port: $0.port == 0 ? key.port : $0.port)
    }
    service.persistenceSeconds = block.persistenceSeconds
    if let word = block.persistenceMask {
      if let mask = PersistenceMask(word.text, family: key.family) {
        service.persistenceMask = mask
        service.persistenceSeconds = block.persistenceSeconds ?? Defaults.persistenceSeconds
      } else {
        findings.append(
          Diagnostic(
            .warning, at: word.position, "\(quoted(word.text)) is not a persistence mask, it is ignored",
            remedy: key.family == .ipv4 ? "write a dotted netmask" : "write a prefix length from 1 to 128"))
      }
    }
    var seen: Set<Endpoint> = []
    for (server, monitoring) in zip(block.realServers, monitoring) {
      guard var server = realServer(server, in: service, block, &findings) else { continue }
      server.share(monitoring)
      guard seen.insert(server.endpoint).inserted else {
        findings.append(
          Diagnostic(
            .warning, at: server.position ?? block.position,
            "real_server \(server.endpoint) occurs twice in \(key), this one is left out"))
        continue
      }
      service.realServers.append(server)
    }
    checkFullNAT(service, block, &findings)
    checkWays(service, block, &findings)
    service.setMonitoring(block.monitoring, at: block.position, &findings)
    checkSorryServer(&service, block, &findings)
    checkPassiveCheck(service, block, &findings)
    return service
  }

  /// Checks that cannot go the way of clients' packets ask the server at its own address, as the others do.
  private func checkWays(
    _ service: VirtualService, _ block: VirtualServerBlock, _ findings: inout [Diagnostic]
  ) {
    for server in service.realServers {
      let isRewritten = [.masquerading, .fullNAT].contains(service.forwardingMethod(to: server))
      for checker in server.monitoring.checkers where checker.connection.throughVIP && !isRewritten {
        guard let obstacle = checker.obstacleThroughVIP(of: service.key, to: server.endpoint.address) else { continue }
        findings.append(
          Diagnostic(
            .warning, at: checker.position ?? server.position ?? block.position,
            "'through_vip' has no effect on this \(checker.name): \(obstacle)",
            remedy: "the check asks \(server.endpoint) itself"))
      }
    }
  }

  /// What passive detection cannot see.
  private func checkPassiveCheck(
    _ service: VirtualService, _ block: VirtualServerBlock, _ findings: inout [Diagnostic]
  ) {
    guard service.monitoring.passive != nil, case .address(let transport, _) = service.key, transport != .tcp else {
      return
    }
    findings.append(
      Diagnostic(
        .warning, at: service.monitoring.origins.position(of: "passive_check") ?? block.position,
        "'passive_check' has no effect: \(service.key) has no SYNs", remedy: "it is for TCP services and marks"))
  }

  /// What goes with FULLNAT only, and what does not go with it.
  private func checkFullNAT(
    _ service: VirtualService, _ block: VirtualServerBlock, _ findings: inout [Diagnostic]
  ) {
    let others = service.realServers.filter { service.forwardingMethod(to: $0) != .fullNAT }
    let usesFullNAT = others.count < service.realServers.count
    if case .mark = service.key, usesFullNAT {
      findings.append(
        Diagnostic(
          .error, at: block.position, "FNAT is not to be had for \(service.key)",
          remedy: "a mark has no address that answers could come from: write IP PORT, or use another lb_kind"))
    }
    if service.onePacket, usesFullNAT {
      findings.append(
        Diagnostic(
          .warning, at: block.onePacket ?? block.position, "'ops' has no effect on servers reached by FNAT",
          remedy: "their answers find the client by its connection"))
    }
    guard let conveyance = block.conveyance, conveyance.value != .none else { return }
    let name = quoted(conveyance.value.directive)
    if let other = others.first {
      findings.append(
        Diagnostic(
          .error, at: conveyance.position,
          "\(name) is for FNAT only, real_server \(other.endpoint) is reached by \(service.forwardingMethod(to: other).name)",
          remedy: "with the other methods servers see the client's address: leave it out, or write 'lb_kind FNAT'"))
    }
    if case .address(let transport, _) = service.key, transport != .tcp {
      findings.append(
        Diagnostic(
          .error, at: conveyance.position, "\(name) is for TCP only, \(service.key) is not",
          remedy: "leave it out"))
    }
  }

  private func realServer(
    _ block: RealServerBlock, in service: VirtualService, _ owner: VirtualServerBlock, _ findings: inout [Diagnostic]
  ) -> RealServer? {
    let method = block.method ?? service.forwardingMethod
    let address = block.address
    if address.family != service.key.family && !method.isTunnelling && method != .fullNAT {
      findings.append(
        Diagnostic(
          .error, at: block.position, "real_server \(address) and \(service.key) are of different families",
          remedy: "TUN and FNAT carry one family over the other"))
      return nil
    }
    if address.isMulticast || address.isUnspecified || address.family == .ipv6 && address.isLinkLocal
      || address == IPAddress(v4: .max)
    {
      findings.append(
        Diagnostic(
          .error, at: block.position, "\(address) cannot be a real server's address",
          remedy: "write a unicast address that is routed"))
      return nil
    }
    var port = block.port == 0 ? service.key.port : block.port
    if case .address = service.key, !method.translatesPorts, port != service.key.port {
      findings.append(
        Diagnostic(
          .warning, at: block.position,
          "port \(port) of real_server \(address) is taken as \(service.key.port), \(method.name) cannot change ports",
          remedy: "write port \(service.key.port), or use NAT or FNAT"))
      port = service.key.port
    }
    var server = RealServer(endpoint: Endpoint(address: address, port: port))
    server.weight = block.weight ?? owner.weight ?? Defaults.weight
    server.methodOverride = method == service.forwardingMethod ? nil : method
    server.upperThreshold = block.upperThreshold
    server.lowerThreshold = block.lowerThreshold
    server.vlan = block.vlan ?? owner.vlan
    server.drainSeconds = block.drainSeconds ?? owner.drainSeconds
    server.warmupSeconds = block.warmupSeconds ?? owner.warmupSeconds
    server.position = block.position
    return server
  }

  private mutating func merge(_ service: VirtualService, _ diagnostics: inout DiagnosticList) {
    guard let index = indices[service.key] else {
      indices[service.key] = services.count
      services.append(service)
      endpoints.append(Set(service.realServers.map(\.endpoint)))
      return
    }
    let place = service.position ?? Position(file: "", line: 1, column: 1)
    let line = services[index].position?.line ?? 0
    diagnostics.warning(
      at: place, "virtual_server \(service.key) is already in line \(line); the two are merged",
      remedy: "put all its real servers into one block; of its settings the first block's count")
    if services[index].sorryServer == nil, let sorry = service.sorryServer {
      services[index].sorryServer = sorry
      services[index].monitoring.sorryServerMethod = service.sorryServerMethod
      services[index].monitoring.inhibitsSorryServer = service.monitoring.inhibitsSorryServer
    }
    for var server in service.realServers {
      guard endpoints[index].insert(server.endpoint).inserted else {
        diagnostics.warning(
          at: server.position ?? place,
          "real_server \(server.endpoint) occurs twice in \(service.key), this one is left out")
        continue
      }
      let method = service.forwardingMethod(to: server)
      server.methodOverride = method == services[index].forwardingMethod ? nil : method
      services[index].realServers.append(server)
    }
  }
}

extension PersistenceMask {
  /// A dotted mask for IPv4, a prefix length for IPv6.
  init?(_ text: String, family: IPAddress.Family) {
    switch family {
    case .ipv4:
      guard let mask = IPAddress(text), mask.family == .ipv4 else { return nil }
      self = .ipv4(mask.v4)
    case .ipv6:
      guard let length = decimal(text), (1...128).contains(length) else { return nil }
      self = .ipv6(length)
    }
  }
}
