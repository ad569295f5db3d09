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
      var server = VirtualServices.server(spec)
      // What a command does not say stays.
      server.vlan = known(spec.endpoint, of: key)?.spec.vlan
      server.drainSeconds = known(spec.endpoint, of: key)?.spec.drainSeconds
      try edit(server, method: spec.method, of: key)
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
  /// - Parameter health: which servers are up; nil is all.
  mutating func load(_ configuration: Configuration, health: Health? = nil) throws(EditError) {
    let health = health ?? Health(configuration, runsChecks: false)
    var next = self
    try next.apply(
      ReloadPlan(from: self, former: nil, to: health.pictures), localPorts: configuration.settings.localPorts)
    self = next
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
