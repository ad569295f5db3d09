import Config
import Dataplane
import Wire

/// `ipvsadm -L --json`: the same state for programs. Numbers are never shortened, and a service has everything known of it at
/// once, whatever form is asked for.
struct ListingJSON {
  private let listing: Listing
  private let nowNanoseconds: UInt64

  init(_ listing: Listing, nowNanoseconds: UInt64) {
    self.listing = listing
    self.nowNanoseconds = nowNanoseconds
  }

  func text(_ request: IpvsadmListing, _ timeouts: ConnectionTimeouts) -> String {
    switch request.format {
    case .timeouts:
      return "{\"timeouts\":{\"tcp\":\(timeouts.tcpSeconds),\"tcpfin\":\(timeouts.tcpFinSeconds)"
        + ",\"udp\":\(timeouts.udpSeconds)}}\n"
    case .daemons:
      return "{\"daemons\":[" + listing.daemons.listed.map(ListingJSON.daemon).joined(separator: ",") + "]}\n"
    case .connections:
      var text = ListingJSON.connectionsHead
      var isFirst = true
      listing.dataplane.forEachConnection(atNanoseconds: nowNanoseconds) { connection in
        text += ListingJSON.connection(connection, isFirst: isFirst)
        isFirst = false
      }
      return text + ListingJSON.connectionsEnd
    default:
      return services()
    }
  }

  // MARK: - Services

  /// All services, without a line's end.
  var servicesText: String { String(services().dropLast()) }

  private func services() -> String {
    let counters = listing.services.counters { listing.dataplane.counters(ofServer: $0) }
    var text = "{\"version\":\"1.2.1\",\"services\":["
    var isFirst = true
    for service in listing.listed {
      text += isFirst ? "\n{" : ",\n{"
      isFirst = false
      text += describe(service) + ",\"stats\":" + stats(counters.services[service.number] ?? ServerCounters())
      if let rates = listing.rates { text += ",\"rates\":" + stats(rates.rates(ofService: service.number)) }
      text += ",\"servers\":["
      text +=
        listing.servers(of: service).map { server in
          var entry = "\n {" + describe(server) + ",\"stats\":"
          entry += stats(counters.servers[server.number] ?? ServerCounters())
          if let rates = listing.rates { entry += ",\"rates\":" + stats(rates.rates(ofServer: server.number)) }
          return entry + "}"
        }.joined(separator: ",") + "]}"
    }
    text += "]"
    let draining = drainingText
    if !draining.isEmpty, listing.only == nil { text += ",\n\"draining\":[\(draining)]" }
    if let health = listing.health() { text += ",\n\"health\":\(health.json(only: listing.only))" }
    if let rates = listing.rates, listing.only == nil {
      text += ",\n\"total\":{\"stats\":\(stats(rates.total)),\"rates\":\(stats(rates.totalRates))}"
    }
    return text + "}\n"
  }

  /// Servers whose connections go on, or end, though they take no new ones: removed ones, which no list has, among them.
  private var drainingText: String {
    let servers = listing.services.servers.values.filter { $0.drain != nil }.sorted { $0.number < $1.number }
    return servers.map { server in
      let counts = listing.dataplane.connections(ofServer: server.number)
      let service = listing.services.services[server.service].map { "\($0.spec.key)" } ?? ""
      return "\n{\"service\":\(ListingJSON.quoted(service))," + ListingJSON.endpoint(server.spec.endpoint)
        + ",\"removed\":\(!server.isAvailable)" + drainText(server)
        + ",\"active_conns\":\(counts.active),\"inactive_conns\":\(counts.inactive)}"
    }.joined(separator: ",")
  }

  private func drainText(_ server: VirtualServices.Server) -> String {
    server.drain.map { ",\"drain_seconds_left\":\($0.secondsLeft(atNanoseconds: nowNanoseconds))" } ?? ""
  }

  private func describe(_ service: VirtualServices.Service) -> String {
    let spec = service.spec
    var text: String
    switch spec.key {
    case .address(let transport, let endpoint):
      text = "\"protocol\":\"\(transport.name.lowercased())\"," + ListingJSON.endpoint(endpoint)
    case .mark(let mark, _): text = "\"fwmark\":\(mark)"
    }
    text += ",\"family\":\"\(spec.key.family == .ipv4 ? "ipv4" : "ipv6")\""
    text += ",\"scheduler\":\"\(service.scheduler.name)\""
    text += ",\"flags\":[" + ServiceSpec(service).flagNames.map { "\"\($0)\"" }.joined(separator: ",") + "]"
    if let seconds = spec.persistenceSeconds {
      text += ",\"persistent\":\(seconds)"
      if let mask = ServiceSpec(service).maskText { text += ",\"netmask\":\"\(mask)\"" }
      if let engine = spec.persistenceEngine { text += ",\"pe\":\(ListingJSON.quoted(engine))" }
    }
    let local = service.localAddresses.filter(\.isActive).map { "\"\($0.address)\"" }
    if !local.isEmpty { text += ",\"local_addresses\":[\(local.joined(separator: ","))]" }
    return text + ",\"ops\":\(spec.onePacket)"
  }

  private func describe(_ server: VirtualServices.Server) -> String {
    let counts = listing.connections(of: server)
    return ListingJSON.endpoint(server.spec.endpoint)
      + ",\"forward\":\"\(listing.forward(server.method).lowercased())\""
      + ListingJSON.tunnel(server.method)
      + ",\"weight\":\(server.spec.weight),\"u_threshold\":\(server.spec.upperThreshold)"
      + ",\"l_threshold\":\(server.spec.lowerThreshold),\"active_conns\":\(counts.active)"
      + ",\"inactive_conns\":\(counts.inactive),\"persistent_conns\":\(listing.persistentConnections(of: server))"
      + drainText(server)
  }

  private static func tunnel(_ method: ForwardingMethod) -> String {
    guard case .tunnelling(let tunnel) = method else { return "" }
    let checksum =
      switch tunnel.checksum {
      case .none: "nocsum"
      case .csum: "csum"
      case .remcsum: "remcsum"
      }
    return switch tunnel.kind {
    case .ipip: ",\"tunnel\":{\"type\":\"ipip\"}"
    case .gue(let port): ",\"tunnel\":{\"type\":\"gue\",\"port\":\(port),\"checksum\":\"\(checksum)\"}"
    case .gre: ",\"tunnel\":{\"type\":\"gre\",\"checksum\":\"\(checksum)\"}"
    }
  }

  private func stats(_ counters: ServerCounters) -> String {
    "{\"conns\":\(counters.connections),\"inpkts\":\(counters.inPackets),\"outpkts\":\(counters.outPackets)"
      + ",\"inbytes\":\(counters.inBytes),\"outbytes\":\(counters.outBytes)}"
  }

  private func stats(_ rates: ServerRates) -> String {
    "{\"cps\":\(rates.connections),\"inpps\":\(rates.inPackets),\"outpps\":\(rates.outPackets)"
      + ",\"inbps\":\(rates.inBytes),\"outbps\":\(rates.outBytes)}"
  }

  private static func daemon(_ daemon: SyncDaemonSpec) -> String {
    "{\"state\":\"\(daemon.role.rawValue)\",\"mcast\":\(quoted(daemon.interface)),\"syncid\":\(daemon.syncID)"
      + ",\"maxlen\":\(daemon.lengthLimit ?? 0),\"group\":\"\(daemon.group)\",\"port\":\(daemon.port)"
      + ",\"ttl\":\(daemon.ttl)}"
  }

  // MARK: - Connections, which come one by one

  static let connectionsHead = "{\"connections\":["
  static let connectionsEnd = "]}\n"

  static func connection(_ connection: ListedConnection, isFirst: Bool) -> String {
    var text = (isFirst ? "\n" : ",\n") + "{\"protocol\":\"\(connection.protocolName.lowercased())\""
    text += ",\"expires\":\(connection.secondsLeft),\"state\":\"\(connection.stateName)\""
    text += ",\"client\":\"\(connection.client)\",\"virtual\":\"\(connection.service)\""
    text += ",\"server\":\"\(connection.server)\""
    if let engine = connection.engine {
      text += ",\"pe\":\"\(engine)\",\"pe_data\":\(quoted(connection.engineData))"
    }
    if let local = connection.local { text += ",\"local\":\"\(local)\"" }
    return text + "}"
  }

  // MARK: - Parts

  static func endpoint(_ endpoint: Endpoint) -> String {
    "\"address\":\"\(endpoint.address)\",\"port\":\(endpoint.port)"
  }

  /// Names come from commands, and may have anything in them.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\u{0}"..<" ":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
