import Config
import Dataplane
import Wire

/// `ipvsadm -L` in its several forms, to the byte. Forms with numbers of their own are in `ListingNumbers.swift`, what
/// `ipvsadm -S` saves is in `SavedServices.swift`.
public struct Listing {
  let services: VirtualServices
  let dataplane: Dataplane
  /// Connection templates of a server by its number.
  var persistentConnections: (UInt16) -> Int
  /// What is sent in a second; nil where nobody estimates it.
  var rates: RateEstimator?
  /// Who is well; nil where nobody checks.
  var health: () -> HealthListing? = { nil }
  /// The daemons that have been started.
  var daemons = SyncDaemons()
  /// The one service to list; nil for all.
  var only: ServiceKey?
  /// False: newest first.
  var isSorted = true
  /// Endpoints are marked, for names to be put in their place (`MarkedEndpoint`).
  var isMarked = false

  init(services: VirtualServices, dataplane: Dataplane) {
    self.services = services
    self.dataplane = dataplane
    persistentConnections = { dataplane.templates(ofServer: $0) }
  }

  /// A listing of one service has none.
  func banner(_ isWanted: Bool = true) -> String {
    isWanted && only == nil ? "IP Virtual Server version 1.2.1 (size=4096)\n" : ""
  }

  /// What a command asks for.
  /// - Parameter timeouts: of connections.
  public func text(
    _ request: IpvsadmListing, timeouts: ConnectionTimeouts, nowNanoseconds: UInt64
  ) throws(IpvsadmError) -> String {
    var listing = self
    if let key = request.service {
      guard services.service(key) != nil else { throw IpvsadmError("No such service", exitCode: 1) }
      listing.only = key
    }
    listing.isSorted = request.isSorted
    if request.isJSON { return ListingJSON(listing, nowNanoseconds: nowNanoseconds).text(request, timeouts) }
    switch request.format {
    case .services: return listing.services()
    case .statistics: return listing.statistics(isExact: request.isExact)
    case .rates:
      guard let text = listing.rateText(isExact: request.isExact) else {
        throw IpvsadmError("rates are not in this version", exitCode: 1, isMissing: true)
      }
      return text
    case .thresholds: return listing.thresholds()
    case .persistentConnections: return listing.persistence()
    case .tunnels: return listing.tunnels()
    case .connections(let withEngines):
      return listing.connections(nowNanoseconds: nowNanoseconds, withEngines: withEngines)
    case .timeouts:
      return "Timeout (tcp tcpfin udp): \(timeouts.tcpSeconds) \(timeouts.tcpFinSeconds) \(timeouts.udpSeconds)\n"
    case .daemons: return daemons.text
    case .health:
      guard let health = health() else { throw IpvsadmError("this lbd runs no health checks", exitCode: 1) }
      return health.text(only: listing.only)
    }
  }

  /// Services with their servers: `ipvsadm -Ln`.
  public func services(banner: Bool = true) -> String {
    table(
      banner: banner,
      head: "Prot LocalAddress:Port Scheduler Flags\n"
        + "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
    ) { server, counts in
      pad(forward(server.method), 7) + " " + pad("\(server.spec.weight)", 6) + " " + pad("\(counts.active)", 10) + " "
        + pad("\(counts.inactive)", 10)
    }
  }

  /// Services with columns for each of their servers.
  func table(
    banner isWanted: Bool = true, head: String,
    columns: (VirtualServices.Server, (active: Int, inactive: Int)) -> String
  ) -> String {
    var text = banner(isWanted) + head
    for service in listed {
      text += "\(title(of: service)) \(service.scheduler.name)\(attributes(of: service))\n"
      for server in servers(of: service) {
        text += "  -> " + column(server, of: service) + " "
        text += columns(server, connections(of: server)) + "\n"
      }
    }
    return text
  }

  /// A server's connections.
  func connections(of server: VirtualServices.Server) -> (active: Int, inactive: Int) {
    let counts = dataplane.connections(ofServer: server.number)
    return (Int(counts.active), Int(counts.inactive))
  }

  /// A server's connection templates.
  func persistentConnections(of server: VirtualServices.Server) -> Int {
    persistentConnections(server.number)
  }

  /// Connections: `ipvsadm -Lnc`. In no particular order.
  public func connections(nowNanoseconds: UInt64, limit: Int = .max, withEngines: Bool = false) -> String {
    var text = Listing.connectionsHead(withEngines: withEngines)
    var count = 0
    dataplane.forEachConnection(atNanoseconds: nowNanoseconds) { connection in
      count += 1
      if count <= limit { text += line(of: connection, withEngines: withEngines) }
    }
    if count > limit { text += "… and \(count - limit) more\n" }
    return text
  }

  /// The lines above connections.
  static func connectionsHead(withEngines: Bool) -> String {
    "IPVS connection entries\npro expire state       source             virtual            destination"
      + (withEngines ? "        pe name          pe_data\n" : "\n")
  }

  /// A connection.
  /// - Parameter withEngines: what its persistence engine knows it by, as well.
  func line(of connection: ListedConnection, withEngines: Bool = false) -> String {
    let minutes = connection.secondsLeft / 60
    let seconds = connection.secondsLeft % 60
    let expire = (minutes < 10 ? "0" : "") + "\(minutes):" + (seconds < 10 ? "0" : "") + "\(seconds)"
    let transport = TransportProtocol.allCases.first { $0.name == connection.protocolName }
    var text = pad(connection.protocolName, 3) + " " + pad(expire, 6) + " " + pad(connection.stateName, 11) + " "
    text += column(connection.client, transport, 18) + " " + column(connection.service, transport, 18) + " "
    if withEngines, let engine = connection.engine {
      text += column(connection.server, transport, 16) + " " + pad(engine, 18) + " "
      text += Listing.printable(connection.engineData)
    } else {
      text += column(connection.server, transport, 0)
    }
    if let local = connection.local { text += " local \(local)" }
    return text + "\n"
  }

  /// Out of packets may come anything; what would move a terminal's cursor does not go there.
  private static func printable(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? "?" : $0 }))
  }

  /// The services to list.
  var listed: [VirtualServices.Service] {
    if let only { return [services.service(only)].compactMap { $0 } }
    return isSorted ? services.listed : services.services.values.filter(\.isActive).sorted { $0.number > $1.number }
  }

  func servers(of service: VirtualServices.Service) -> [VirtualServices.Server] {
    let newestFirst = service.servers.compactMap { services.servers[$0] }
    return isSorted ? ListingOrder.sorted(newestFirst) : newestFirst
  }

  /// `TCP  10.0.0.1:80`. Marks are printed as signed numbers.
  func title(of service: VirtualServices.Service, width: Int = 0) -> String {
    switch service.spec.key {
    case .address(let transport, let endpoint):
      "\(pad(transport.name, 4)) " + column(endpoint, transport, max(0, width - 5), limit: 28)
    case .mark(let mark, let family):
      pad("FWM  \(Int32(bitPattern: mark))" + (family == .ipv6 ? " IPv6" : ""), width)
    }
  }

  /// A server in the column of servers.
  func column(_ server: VirtualServices.Server, of service: VirtualServices.Service) -> String {
    var transport: TransportProtocol?
    if case .address(let known, _) = service.spec.key { transport = known }
    return column(server.spec.endpoint, transport, 28, limit: 28)
  }

  /// An endpoint in a column.
  private func column(
    _ endpoint: Endpoint, _ transport: TransportProtocol?, _ width: Int, limit: Int = 0
  ) -> String {
    if isMarked { return MarkedEndpoint(endpoint, transport, width: width, limit: limit).marked }
    return pad("\(endpoint)", width)
  }

  /// What stands behind the scheduler's name.
  private func attributes(of service: VirtualServices.Service) -> String {
    let names = ServiceSpec(service).flagNames
    var text = names.isEmpty ? "" : " (\(names.joined(separator: ",")))"
    let spec = service.spec
    if let seconds = spec.persistenceSeconds {
      text += " persistent \(seconds)"
      if let mask = ServiceSpec(service).maskText { text += " mask \(mask)" }
      if let engine = spec.persistenceEngine { text += " pe \(engine)" }
    }
    return spec.onePacket ? text + " ops" : text
  }

  /// The method, as listings name it.
  func forward(_ method: ForwardingMethod) -> String {
    switch method {
    case .directRouting: "Route"
    case .masquerading: "Masq"
    case .tunnelling: "Tunnel"
    case .fullNAT: "FullNat"
    }
  }

  func pad(_ text: String, _ width: Int) -> String {
    let missing = width - text.utf8.count
    return missing > 0 ? text + String(repeating: " ", count: missing) : text
  }
}
