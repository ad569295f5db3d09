import Config
import Wire

/// `ipvsadm -Sn`: the commands that make these services again. In two things it says more than ipvsadm, so that nothing is
/// lost on the way through `ipvsadm -R`: thresholds are among them, and marks above 2147483647 are not written as negative
/// numbers, which no command takes.
extension Listing {
  /// One `-A` line for each service and one `-a` line for each of its servers, in the order of listings.
  public func saved() -> String {
    var text = ""
    for service in listed {
      text += lines(of: service, servers(of: service))
    }
    return text
  }

  /// The same, but each list in the order it was made in: made again, it is the same list, and schedulers choose alike.
  func savedInOrder() -> String {
    var text = ""
    for service in services.services.values.filter(\.isActive).sorted(by: { $0.number < $1.number }) {
      text += lines(of: service, service.servers.reversed().compactMap { services.servers[$0] })
    }
    return text
  }

  private func lines(of service: VirtualServices.Service, _ servers: [VirtualServices.Server]) -> String {
    let key = service.spec.key
    var commands = [IpvsadmCommand.addService(ServiceSpec(service))]
    for local in service.localAddresses where local.isActive {
      commands.append(.addLocalAddress(key, local.address, interface: nil))
    }
    commands += servers.map { .addServer(key, ServerSpec($0)) }
    return commands.compactMap(\.line).joined(separator: "\n") + "\n"
  }

  /// Local addresses of FULLNAT services, with the connections that use them.
  func localAddresses(of key: ServiceKey?) throws(IpvsadmError) -> String {
    var listing = self
    if let key {
      guard services.service(key) != nil else { throw IpvsadmError("No such service", exitCode: 1) }
      listing.only = key
    }
    var text = "VIP:VPORT            TOTAL    SNAT_IP\n"
    for service in listing.listed {
      let active = service.localAddresses.filter(\.isActive)
      guard key != nil || !active.isEmpty else { continue }
      text += pad(endpointText(of: service), 20) + " \(active.count)\n"
      for local in active { text += String(repeating: " ", count: 30) + "\(local.address)\n" }
    }
    return text
  }

  private func endpointText(of service: VirtualServices.Service) -> String {
    if case .address(_, let endpoint) = service.spec.key { return "\(endpoint)" }
    return "\(service.spec.key)"
  }
}

extension ServiceSpec {
  /// A service of the model, as a command says it.
  init(_ service: VirtualServices.Service) {
    self.init(service.spec)
    schedulerName = service.scheduler.name
  }

  /// What a configuration says of a service, likewise.
  init(_ spec: VirtualService) {
    self.init(key: spec.key)
    schedulerName = spec.schedulerName
    schedulerFlags = spec.schedulerFlags
    persistenceSeconds = spec.persistenceSeconds
    persistenceMask = spec.persistenceMask
    persistenceEngine = spec.persistenceEngine
    onePacket = spec.onePacket
  }
}

extension ServerSpec {
  /// A real server of the model, as a command says it.
  init(_ server: VirtualServices.Server) { self.init(server.spec, method: server.method) }

  /// What a configuration says of a real server, likewise.
  init(_ spec: RealServer, method: ForwardingMethod) {
    self.init(endpoint: spec.endpoint)
    self.method = method
    weight = spec.weight
    upperThreshold = spec.upperThreshold
    lowerThreshold = spec.lowerThreshold
  }
}
