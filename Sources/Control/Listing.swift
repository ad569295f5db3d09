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
  /// Rates of a server by its number; nil where nobody estimates them.
  var rates: ((UInt16) -> ServerRates)?
  /// The one service to list; nil for all.
  var only: ServiceKey?
  /// False: newest first.
  var isSorted = true

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
  /// - Parameter timeouts: of connections, in seconds.
  public func text(
    _ request: IpvsadmListing, timeouts: (tcp: UInt32, tcpFin: UInt32, udp: UInt32), nowNanoseconds: UInt64
  ) throws(IpvsadmError) -> String {
    var listing = self
    if let key = request.service {
      guard services.service(key) != nil else { throw IpvsadmError("No such service", exitCode: 1) }
      listing.only = key
    }
    listing.isSorted = request.isSorted
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
    case .timeouts: return "Timeout (tcp tcpfin udp): \(timeouts.tcp) \(timeouts.tcpFin) \(timeouts.udp)\n"
    // Nothing is printed where no daemon runs.
    case .daemons: return ""
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
        let counts = dataplane.connections(ofServer: server.number)
        text += "  -> " + pad("\(server.spec.endpoint)", 28) + " "
        text += columns(server, (Int(counts.active), Int(counts.inactive))) + "\n"
      }
    }
    return text
  }

  /// Connections: `ipvsadm -Lnc`. In no particular order.
  public func connections(nowNanoseconds: UInt64, limit: Int = .max, withEngines: Bool = false) -> String {
    var text = "IPVS connection entries\n"
    text += "pro expire state       source             virtual            destination"
    text += withEngines ? "        pe name          pe_data\n" : "\n"
    var count = 0
    dataplane.forEachConnection(atNanoseconds: nowNanoseconds) { connection in
      count += 1
      guard count <= limit else { return }
      let minutes = connection.secondsLeft / 60
      let seconds = connection.secondsLeft % 60
      let expire = (minutes < 10 ? "0" : "") + "\(minutes):" + (seconds < 10 ? "0" : "") + "\(seconds)"
      text += pad(connection.protocolName, 3) + " " + pad(expire, 6) + " " + pad(connection.stateName, 11) + " "
      text += pad("\(connection.client)", 18) + " " + pad("\(connection.service)", 18) + " "
      if withEngines, let engine = connection.engine {
        text += pad("\(connection.server)", 16) + " " + pad(engine, 18) + " " + connection.engineData
      } else {
        text += "\(connection.server)"
      }
      if let local = connection.local { text += " local \(local)" }
      text += "\n"
    }
    if count > limit { text += "… and \(count - limit) more\n" }
    return text
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
  func title(of service: VirtualServices.Service) -> String {
    switch service.spec.key {
    case .address(let transport, let endpoint): "\(pad(transport.name, 4)) \(endpoint)"
    case .mark(let mark, let family): "FWM  \(Int32(bitPattern: mark))" + (family == .ipv6 ? " IPv6" : "")
    }
  }

  /// What stands behind the scheduler's name.
  private func attributes(of service: VirtualServices.Service) -> String {
    let names = flagNames(of: service)
    var text = names.isEmpty ? "" : " (\(names.joined(separator: ",")))"
    let spec = service.spec
    if let seconds = spec.persistenceSeconds {
      text += " persistent \(seconds)"
      if let mask = maskText(of: spec) { text += " mask \(mask)" }
      if let engine = spec.persistenceEngine { text += " pe \(engine)" }
    }
    return spec.onePacket ? text + " ops" : text
  }

  /// nil when every bit counts.
  func maskText(of spec: VirtualService) -> String? {
    guard spec.persistenceMask != .full(spec.key.family) else { return nil }
    switch spec.persistenceMask {
    case .ipv4(let mask): return "\(IPAddress(v4: mask))"
    case .ipv6(let length): return "\(length)"
    }
  }

  /// The schedulers that have names for their flags use them.
  func flagNames(of service: VirtualServices.Service) -> [String] {
    var names: [String] = []
    let flags = service.spec.schedulerFlags
    let isHashing = service.scheduler == .sourceHashing || service.scheduler == .maglevHashing
    let prefix = service.scheduler.name
    if flags.contains(.flag1) { names.append(isHashing ? "\(prefix)-fallback" : "flag-1") }
    if flags.contains(.flag2) { names.append(isHashing ? "\(prefix)-port" : "flag-2") }
    if flags.contains(.flag3) { names.append("flag-3") }
    return names
  }

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
