import Config
import Wire

/// What a reload does, step by step: almost all of it is commands of ipvsadm.
///
/// Three things are compared: what the file said when it was last read, what it says now, and what runs. What the file says
/// as before is not touched, whatever has become of it since by ipvsadm; what it says anew is made so; what it no
/// longer says goes. So whoever has taken a server out for an hour (`ipvsadm -e … -w 0`), or has services beside the file's,
/// loses nothing by a reload for another reason. A reload of the whole (`--reset`, or the first one) compares with
/// what runs only: afterwards nothing is there but what the file says.
struct ReloadPlan {
  /// A step.
  enum Step: Equatable {
    case command(IpvsadmCommand)
    /// What no command says.
    case own(ServiceKey, Endpoint, ServicePicture.OwnSettings)
    case conveyance(ServiceKey, ClientConveyance)
  }

  private(set) var steps: [Step] = []

  /// Nothing to be done.
  init() {}

  /// True when nothing is done.
  var isEmpty: Bool { steps.isEmpty }

  /// - Parameters:
  ///   - running: services as they are.
  ///   - former: what the file said, with the servers that were up; nil for a reload of the whole.
  ///   - wanted: what it says, with those that are.
  init(from running: VirtualServices, former: [ServicePicture]?, to wanted: [ServicePicture]) {
    let keys = Set(wanted.map(\.spec.key))
    let before = former.map { Dictionary($0.map { ($0.spec.key, $0) }) { first, _ in first } }
    for service in running.listed where !keys.contains(service.spec.key) {
      guard before == nil || before?[service.spec.key] != nil else { continue }
      steps.append(.command(.deleteService(service.spec.key)))
    }
    for service in wanted {
      let present = running.service(service.spec.key).map { ServicePicture($0, of: running) }
      guard let present else {
        // Somebody has deleted what the file says as before.
        if before?[service.spec.key] != service { add(service) }
        continue
      }
      let old = before == nil ? present : before?[service.spec.key]
      change(present, from: old, to: service)
    }
  }

  /// Some services have other servers that are up, or others' weights; what ipvsadm has made of the rest stays.
  /// - Parameter pairs: each as it was, and as it is.
  init(from running: VirtualServices, changing pairs: [(former: ServicePicture, new: ServicePicture)]) {
    for (former, new) in pairs where former != new {
      guard let service = running.service(new.spec.key) else { continue }
      change(ServicePicture(service, of: running), from: former, to: new)
    }
  }

  /// Timeouts of connections.
  mutating func set(_ wanted: ConnectionTimeouts, from former: ConnectionTimeouts?, running: ConnectionTimeouts) {
    func value(_ time: KeyPath<ConnectionTimeouts, Int>) -> Int {
      let isNew = former.map { $0[keyPath: time] != wanted[keyPath: time] } ?? true
      return isNew && running[keyPath: time] != wanted[keyPath: time] ? wanted[keyPath: time] : 0
    }
    let (tcp, tcpFin, udp) = (value(\.tcpSeconds), value(\.tcpFinSeconds), value(\.udpSeconds))
    guard tcp != 0 || tcpFin != 0 || udp != 0 else { return }
    steps.append(.command(.setTimeouts(tcp: tcp, tcpFin: tcpFin, udp: udp)))
  }

  private mutating func add(_ service: ServicePicture) {
    let key = service.spec.key
    steps.append(.command(.addService(service.spec)))
    change(addresses: [], from: [], to: service.localAddresses, of: key)
    if service.conveyance != .none { steps.append(.conveyance(key, service.conveyance)) }
    for server in service.servers { add(server, to: key) }
  }

  private mutating func add(_ server: ServicePicture.Server, to key: ServiceKey) {
    steps.append(.command(.addServer(key, server.spec)))
    if server.own != ServicePicture.OwnSettings() { steps.append(.own(key, server.spec.endpoint, server.own)) }
  }

  /// - Parameter old: what the file said; nil when it did not know the service.
  private mutating func change(_ present: ServicePicture, from old: ServicePicture?, to new: ServicePicture) {
    let key = new.spec.key
    if old?.spec != new.spec, present.spec != new.spec { steps.append(.command(.editService(new.spec))) }
    change(addresses: present.localAddresses, from: old?.localAddresses ?? [], to: new.localAddresses, of: key)
    if old?.conveyance != new.conveyance, present.conveyance != new.conveyance {
      steps.append(.conveyance(key, new.conveyance))
    }
    let wanted = Set(new.servers.map(\.spec.endpoint))
    let former = Dictionary((old?.servers ?? []).map { ($0.spec.endpoint, $0) }) { first, _ in first }
    let there = Dictionary(present.servers.map { ($0.spec.endpoint, $0) }) { first, _ in first }
    // The newest first, as listings have them.
    for server in present.servers.reversed() {
      let endpoint = server.spec.endpoint
      guard !wanted.contains(endpoint), former[endpoint] != nil else { continue }
      steps.append(.command(.deleteServer(key, endpoint)))
    }
    for server in new.servers {
      let endpoint = server.spec.endpoint
      guard former[endpoint] != server else { continue }
      guard let running = there[endpoint] else {
        add(server, to: key)
        continue
      }
      if former[endpoint]?.spec != server.spec, running.spec != server.spec {
        steps.append(.command(.editServer(key, server.spec)))
      }
      if running.own != server.own { steps.append(.own(key, endpoint, server.own)) }
    }
  }

  private mutating func change(
    addresses present: [IPAddress], from old: [IPAddress], to new: [IPAddress], of key: ServiceKey
  ) {
    for address in present where !new.contains(address) && old.contains(address) {
      steps.append(.command(.deleteLocalAddress(key, address)))
    }
    for address in new where !present.contains(address) && !old.contains(address) {
      steps.append(.command(.addLocalAddress(key, address, interface: nil)))
    }
  }
}

extension ReloadPlan {
  /// The lines that `ipvsadm -R` does the same by.
  var lines: [String] {
    steps.compactMap { step in
      if case .command(let command) = step { command.line } else { nil }
    }
  }

  /// What `ipvsadm` has no words for, a sentence each.
  var unspoken: [String] {
    steps.compactMap { step in
      switch step {
      case .command: nil
      case .own(let key, let endpoint, let own):
        "\(key) -> \(endpoint): vlan \(own.vlan.map(String.init) ?? "none")"
          + ", drain_timeout \(own.drainSeconds.map(String.init) ?? "none")"
      case .conveyance(let key, let conveyance): "\(key): \(conveyance.directive)"
      }
    }
  }

  /// How many there are of each kind, in words.
  var summary: String {
    var counts: [String: Int] = [:]
    for case .command(let command) in steps {
      counts[command.line?.split(separator: " ").first.map(String.init) ?? "", default: 0] += 1
    }
    func part(_ noun: String, _ kinds: [(String, String)]) -> String? {
      let parts = kinds.compactMap { verb, option in counts[option].map { "\($0) \(verb)" } }
      return parts.isEmpty ? nil : "\(noun) " + parts.joined(separator: ", ")
    }
    let parts = [
      part("services:", [("added", "-A"), ("edited", "-E"), ("deleted", "-D")]),
      part("real servers:", [("added", "-a"), ("edited", "-e"), ("removed", "-d")]),
      part("local addresses:", [("added", "--add-laddr"), ("removed", "--del-laddr")]),
      counts["--set"].map { _ in "timeouts changed" },
      unspoken.isEmpty ? nil : "\(unspoken.count) settings of lbd's own",
    ].compactMap { $0 }
    return parts.isEmpty ? "nothing to change among services" : parts.joined(separator: "; ")
  }
}

extension VirtualServices {
  /// Carries out a plan: all of it or, when it throws, only what came before.
  mutating func apply(_ plan: ReloadPlan, localPorts: ClosedRange<UInt16>) throws(EditError) {
    for step in plan.steps {
      switch step {
      case .command(.addLocalAddress(let key, let address, let interface)):
        do {
          try apply(.addLocalAddress(key, address, interface: interface), localPorts: localPorts)
        } catch EditError.tooManyLocalAddresses {
          // A service can do with fewer; its indices are free again once its connections have ended.
          continue
        }
      case .command(let command): try apply(command, localPorts: localPorts)
      case .own(let key, let endpoint, let own): setOwn(own, of: endpoint, in: key)
      case .conveyance(let key, let conveyance): setConveyance(conveyance, of: key)
      }
    }
  }
}
