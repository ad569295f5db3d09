import Config
import Dataplane
import Wire

/// The editors of the one model: `ipvsadm` commands, and a configuration that replaces what is there.
extension VirtualServices {
  /// Carries out a command that changes services or servers; others change nothing here.
  /// - Parameter localPorts: of FULLNAT, for a service that is added.
  mutating func apply(
    _ command: IpvsadmCommand, localPorts: ClosedRange<UInt16> = Defaults.localPorts
  ) throws(EditError) {
    switch command {
    case .addService(let spec):
      try add(VirtualServices.service(spec), localPorts: localPorts)
    case .editService(let spec):
      try edit(VirtualServices.service(spec))
    case .deleteService(let key):
      try delete(key)
    case .clear:
      clear()
    case .addServer(let key, let spec):
      try check(spec, of: key)
      try add(VirtualServices.server(spec), method: spec.method, to: key)
    case .editServer(let key, let spec):
      try check(spec, of: key)
      try edit(VirtualServices.server(spec), method: spec.method, of: key)
    case .deleteServer(let key, let endpoint):
      try delete(endpoint, from: key)
    case .addLocalAddress(let key, let address, _):
      try addLocalAddress(address, of: key)
    case .deleteLocalAddress(let key, let address):
      try deleteLocalAddress(address, of: key)
    case .zero, .setTimeouts, .list, .save, .restore, .startDaemon, .stopDaemon, .listLocalAddresses, .help, .version:
      break
    }
  }

  private mutating func addLocalAddress(_ address: IPAddress, of key: ServiceKey) throws(EditError) {
    guard let service = service(key) else { throw EditError.serviceNotDefined }
    let active = service.localAddresses.filter(\.isActive).map(\.address)
    guard !active.contains(address) else { throw EditError.localAddressExists }
    setLocalAddresses(active + [address], of: key)
    guard self.service(key)?.localAddresses.contains(where: { $0.address == address }) == true else {
      throw EditError.tooManyLocalAddresses
    }
  }

  private mutating func deleteLocalAddress(_ address: IPAddress, of key: ServiceKey) throws(EditError) {
    guard let service = service(key) else { throw EditError.serviceNotDefined }
    let active = service.localAddresses.filter(\.isActive).map(\.address)
    guard active.contains(address) else { throw EditError.noLocalAddress }
    setLocalAddresses(active.filter { $0 != address }, of: key)
  }

  /// A service that is not there is what ipvsadm complains of first.
  private func check(_ spec: ServerSpec, of key: ServiceKey) throws(EditError) {
    guard service(key) != nil else { throw EditError.serviceNotDefined }
    if let refusal = spec.refusal { throw EditError.refused(refusal) }
  }

  private static func service(_ spec: ServiceSpec) -> VirtualService {
    var service = VirtualService(key: spec.key)
    service.schedulerName = spec.schedulerName
    service.schedulerFlags = spec.schedulerFlags
    service.onePacket = spec.onePacket
    service.persistenceSeconds = spec.persistenceSeconds
    service.persistenceMask = spec.persistenceMask
    service.persistenceEngine = spec.persistenceEngine
    return service
  }

  private static func server(_ spec: ServerSpec) -> RealServer {
    var server = RealServer(endpoint: spec.endpoint)
    server.weight = spec.weight
    server.upperThreshold = spec.upperThreshold
    server.lowerThreshold = spec.lowerThreshold
    return server
  }

  /// Makes the services those of a configuration, disturbing only what differs: what is in both keeps its connections,
  /// its scheduler's state and its place in the list. All of it or, when it throws, nothing.
  mutating func load(_ configuration: Configuration) throws(EditError) {
    var next = self
    try next.replaceAll(with: configuration)
    self = next
  }

  private mutating func replaceAll(with configuration: Configuration) throws(EditError) {
    let groups = Dictionary(
      configuration.localAddressGroups.map { ($0.name, $0.addresses) }, uniquingKeysWith: { first, _ in first })
    let wanted = Set(configuration.services.map(\.key))
    for service in listed where !wanted.contains(service.spec.key) { try delete(service.spec.key) }
    for configured in configuration.services {
      // Nobody checks servers yet: who has no weight, and a sorry server, is all there is to decide.
      let spec = ServiceState(configured, runsChecks: false).serving
      if let old = service(spec.key) {
        if !VirtualServices.isSameService(old.spec, spec) { try edit(spec) }
      } else {
        try add(spec, localPorts: configuration.settings.localPorts)
      }
      // Servers of the other family are sent to from addresses of theirs.
      let fullNAT = spec.realServers.filter { spec.forwardingMethod(to: $0) == .fullNAT }
      let families = fullNAT.isEmpty ? [spec.key.family] : Set(fullNAT.map(\.endpoint.address.family))
      let addresses = spec.localAddressGroup.flatMap { groups[$0] } ?? []
      setLocalAddresses(addresses.filter { families.contains($0.family) }, of: spec.key)
      setConveyance(spec.clientConveyance, of: spec.key)
      try loadServers(of: spec)
    }
  }

  private mutating func loadServers(of spec: VirtualService) throws(EditError) {
    guard let service = service(spec.key) else { return }
    let wanted = Set(spec.realServers.map(\.endpoint))
    for number in service.servers {
      guard let server = servers[number], !wanted.contains(server.spec.endpoint) else { continue }
      try delete(server.spec.endpoint, from: spec.key)
    }
    for server in spec.realServers {
      let method = spec.forwardingMethod(to: server)
      let known = service.servers.compactMap { servers[$0] }.first { $0.spec.endpoint == server.endpoint }
      guard let known else {
        try add(server, method: method, to: spec.key)
        continue
      }
      if known.spec.withoutPosition != server.withoutPosition || known.method != method {
        try edit(server, method: method, of: spec.key)
      }
    }
  }

  private static func isSameService(_ left: VirtualService, _ right: VirtualService) -> Bool {
    left.schedulerName == right.schedulerName && left.schedulerFlags == right.schedulerFlags
      && left.persistenceSeconds == right.persistenceSeconds && left.persistenceMask == right.persistenceMask
      && left.persistenceEngine == right.persistenceEngine && left.onePacket == right.onePacket
  }
}

extension Dataplane {
  /// Passes on what the model's edits mean for schedulers and counters; call it after publishing.
  func tell(_ news: VirtualServices.News) {
    for number in news.renewed { resetCounters(ofServer: number) }
    for number in news.relieved { relieve(server: number) }
    for change in news.changes {
      serversChanged(
        service: change.service, scheduler: change.scheduler, pace: change.pace, change.change)
    }
  }
}
