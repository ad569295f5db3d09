import Wire

// What the words of VRRP mean together. keepalived says most of this when it starts, and goes on with what is left; so do
// these rules: each states what is wrong, and what holds instead.

/// Checks instances, groups and trackers against each other.
struct VRRPRules {
  private var vrrp: VRRPConfiguration
  private(set) var findings = DiagnosticList()

  /// The configuration with what holds, and everything that is to be said.
  static func checked(
    _ vrrp: VRRPConfiguration, _ globals: GlobalSettings, _ services: [VirtualService],
    _ diagnostics: inout DiagnosticList
  ) -> VRRPConfiguration {
    var rules = VRRPRules(vrrp: vrrp)
    for index in rules.vrrp.instances.indices {
      rules.checkIdentity(index, globals)
      rules.checkElection(index)
      rules.checkAuthentication(index)
      rules.checkAddresses(index)
    }
    rules.checkRouterIDs()
    rules.checkTrackers()
    rules.checkGroups()
    rules.checkNames(services)
    for finding in rules.findings.sorted() { diagnostics.add(finding) }
    return rules.vrrp
  }

  private init(vrrp: VRRPConfiguration) { self.vrrp = vrrp }

  private mutating func warn(_ position: Position, _ message: String, _ remedy: String? = nil) {
    findings.warning(at: position, message, remedy: remedy)
  }

  // MARK: - One instance

  private mutating func checkIdentity(_ index: Int, _ globals: GlobalSettings) {
    let instance = vrrp.instances[index]
    let name = quoted(instance.name)
    if instance.routerID == nil {
      warn(instance.position, "vrrp_instance \(name) has no virtual_router_id", "add 'virtual_router_id 1…255'")
    }
    if instance.interface == nil, !(instance.network.isUnicast && instance.network.source != nil) {
      warn(
        instance.position, "vrrp_instance \(name) has no interface",
        "add 'interface NAME', or unicast_src_ip and unicast_peer")
    }
    if instance.interface == "lo" {
      warn(instance.origins.position(of: "interface") ?? instance.position, "VRRP does not run on a loopback interface")
      vrrp.instances[index].interface = nil
    }
    if instance.family == .ipv6, instance.origins.position(of: "version") == nil, !globals.vrrp.isVersionGiven {
      vrrp.instances[index].version = 3
    }
    if instance.network.isUnicast, instance.network.peers.isEmpty, !instance.network.faultsWithoutPeers {
      warn(
        instance.origins.position(of: "unicast_src_ip") ?? instance.position,
        "vrrp_instance \(name) has no unicast_peer, its adverts go to the group", "add peers, or remove unicast_src_ip")
      vrrp.instances[index].network.isUnicast = false
    }
    if instance.state == .master, instance.origins.position(of: "priority") == nil {
      vrrp.instances[index].priority = 255
    }
    vrrp.instances[index].roundInterval(&findings)
  }

  private mutating func checkElection(_ index: Int) {
    let instance = vrrp.instances[index]
    let election = instance.election
    let place = { (key: String) in instance.origins.position(of: key) ?? instance.position }
    let isMaster = instance.state == .master
    if election.nopreempt, isMaster || instance.priority == 255 {
      warn(
        place("nopreempt"),
        isMaster
          ? "'nopreempt' does not go with 'state MASTER', it is ignored"
          : "'nopreempt' does not go with priority 255, it is ignored",
        isMaster ? "write 'state BACKUP' on both routers" : "lower the priority")
      vrrp.instances[index].election.nopreempt = false
    }
    guard election.preemptDelay > .zero else { return }
    let reason: String?
    if election.isStrict {
      reason = "strict mode"
    } else if vrrp.instances[index].election.nopreempt {
      reason = "nopreempt"
    } else if isMaster {
      reason = "state MASTER"
    } else {
      reason = nil
    }
    guard let reason else { return }
    warn(place("preempt_delay"), "'preempt_delay' does not go with \(reason), it is ignored", "remove one of them")
    vrrp.instances[index].election.preemptDelay = .zero
  }

  private mutating func checkAuthentication(_ index: Int) {
    let instance = vrrp.instances[index]
    guard let authentication = instance.authentication else { return }
    let reason: String?
    if instance.version == 3 {
      reason = "version 3 has none"
    } else if instance.election.isStrict {
      reason = "strict mode allows none"
    } else if authentication.kind == .header, instance.family == .ipv6 {
      reason = "AH is for IPv4 only"
    } else {
      reason = nil
    }
    guard let reason else { return }
    warn(
      instance.origins.position(of: "authentication") ?? instance.position,
      "authentication is ignored: \(reason)", "remove it here and on the other routers")
    vrrp.instances[index].authentication = nil
  }

  private mutating func checkAddresses(_ index: Int) {
    let instance = vrrp.instances[index]
    let addresses = instance.addresses.virtual
    guard let first = addresses.first else {
      if instance.network.isUnicast || !instance.addresses.mayBeEmpty {
        warn(instance.position, "vrrp_instance \(quoted(instance.name)) has no virtual_ipaddress", "add some")
      }
      return
    }
    let family = first.prefix.address.family
    for address in addresses where address.prefix.address.family != family {
      warn(
        address.position,
        "\(address.prefix.address) is not of the family of the first address, it is moved to the excluded ones",
        "write it into virtual_ipaddress_excluded")
    }
    var kept = addresses.filter { $0.prefix.address.family == family }
    var moved = addresses.filter { $0.prefix.address.family != family }
    if kept.count > 255 {
      warn(
        kept[255].position, "an advert has room for 255 addresses, those from here on are moved to the excluded ones")
      moved += kept[255...]
      kept.removeSubrange(255...)
    }
    vrrp.instances[index].addresses.virtual = kept
    vrrp.instances[index].addresses.excluded += moved
    if family == .ipv6, !first.prefix.address.isLinkLocal, !instance.network.isUnicast {
      warn(
        first.position, "the first address of IPv6 should be a link-local one (RFC 5798, 5.2.9)", "put fe80::… first")
    }
    if instance.election.isStrict, instance.election.acceptsTraffic == nil, instance.priority != 255 {
      findings.note(
        at: instance.origins.position(of: "strict_mode") ?? instance.position,
        "vrrp_strict: vrrp_instance \(quoted(instance.name)) does not accept traffic for its addresses (only services are forwarded)",
        remedy: "remove vrrp_strict, or add 'accept'")
    }
  }

  // MARK: - Instances together

  private mutating func checkRouterIDs() {
    var seen: [[String]: VRRPInstance] = [:]
    for instance in vrrp.instances {
      guard let number = instance.routerID else { continue }
      let group =
        instance.network.isUnicast
        ? "unicast \(instance.network.source.map { "\($0)" } ?? "")" : instance.network.group.map { "\($0)" } ?? ""
      let identity = ["\(number)", instance.interface ?? "", "\(instance.family)", group]
      if let other = seen[identity] {
        warn(
          instance.origins.position(of: "virtual_router_id") ?? instance.position,
          "virtual_router_id \(number) is already vrrp_instance \(quoted(other.name))'s on this interface (line \(other.position.line))",
          "give each instance a number of its own")
      } else {
        seen[identity] = instance
      }
    }
  }

  private mutating func checkTrackers() {
    let places = TrackerPlaces(vrrp)
    for index in vrrp.instances.indices {
      let own = vrrp.instances[index].interface
      for reference in vrrp.instances[index].tracking.interfaces where reference.name == own {
        warn(reference.position, "\(quoted(reference.name)) is the instance's own interface, which is tracked anyway")
      }
      vrrp.instances[index].tracking.interfaces.removeAll { $0.name == own }
      vrrp.instances[index].tracking = places.checked(vrrp.instances[index].tracking, &findings)
    }
    for index in vrrp.groups.indices {
      vrrp.groups[index].tracking = places.checked(vrrp.groups[index].tracking, &findings)
    }
    let used = Set((vrrp.instances.map(\.tracking) + vrrp.groups.map(\.tracking)).flatMap(\.scripts).map(\.name))
    for script in vrrp.scripts {
      if script.command == nil {
        warn(script.position, "vrrp_script \(quoted(script.name)) has no script", "add 'script \"COMMAND\"'")
      } else if !used.contains(script.name) {
        warn(
          script.position, "vrrp_script \(quoted(script.name)) is not tracked by anybody", "add it to a track_script")
      }
    }
  }

  private mutating func checkGroups() {
    let names = Set(vrrp.instances.map(\.name))
    var owners: [String: String] = [:]
    for index in vrrp.groups.indices {
      let group = vrrp.groups[index]
      let place = group.origins.position(of: "group") ?? group.position
      var members: [String] = []
      for member in group.members {
        if !names.contains(member) {
          let like = nearest(to: member, among: names.count <= 100 ? Array(names) : [])
          warn(
            place, "there is no vrrp_instance \(quoted(member)), it is left out of group \(quoted(group.name))",
            like.map { "did you mean \(quoted($0))?" } ?? "add it, or remove the name")
        } else if let other = owners[member] {
          warn(place, "\(quoted(member)) is in group \(quoted(other)) already, it is left out here", "keep one")
        } else {
          owners[member] = group.name
          members.append(member)
        }
      }
      vrrp.groups[index].members = members
      if members.count < 2 {
        warn(
          group.position,
          "vrrp_sync_group \(quoted(group.name)) has \(members.isEmpty ? "no member" : "one member only")",
          "a group is for several instances")
      }
    }
  }

  /// What checkers refer to.
  private mutating func checkNames(_ services: [VirtualService]) {
    let files = Set(vrrp.files.map(\.name))
    let sessions = Set(vrrp.sessions.map(\.name))
    for file in vrrp.files where file.path == nil {
      warn(file.position, "track_file \(quoted(file.name)) has no file", "add 'file PATH'")
    }
    for session in vrrp.sessions where session.neighbour == nil {
      warn(session.position, "bfd_instance \(quoted(session.name)) has no neighbor_ip", "add 'neighbor_ip IP'")
    }
    for checker in services.lazy.flatMap(\.realServers).flatMap(\.monitoring.checkers) {
      guard let place = checker.position else { continue }
      switch checker.kind {
      case .file(let file) where !files.contains(file.file):
        warn(place, "there is no track_file \(quoted(file.file)), the checker never changes anything", "add it")
      case .bfd(let name) where !sessions.contains(name):
        warn(place, "there is no bfd_instance \(quoted(name)), the checker never changes anything", "add it")
      default: break
      }
    }
  }
}

/// Where trackers are defined.
private struct TrackerPlaces {
  let scripts: [String: Position]
  let files: [String: Position]
  let processes: [String: Position]
  let sessions: [String: Position]

  init(_ vrrp: VRRPConfiguration) {
    let first = { (left: Position, _: Position) in left }
    scripts = Dictionary(vrrp.scripts.map { ($0.name, $0.position) }, uniquingKeysWith: first)
    files = Dictionary(vrrp.files.map { ($0.name, $0.position) }, uniquingKeysWith: first)
    processes = Dictionary(vrrp.processes.map { ($0.name, $0.position) }, uniquingKeysWith: first)
    sessions = Dictionary(vrrp.sessions.map { ($0.name, $0.position) }, uniquingKeysWith: first)
  }

  /// Without what is not there.
  func checked(_ tracking: VRRPTracking, _ findings: inout DiagnosticList) -> VRRPTracking {
    var tracking = tracking
    tracking.scripts = known(tracking.scripts, in: scripts, "vrrp_script", &findings)
    tracking.files = known(tracking.files, in: files, "track_file", &findings)
    tracking.processes = known(tracking.processes, in: processes, "vrrp_track_process", &findings)
    tracking.sessions = known(tracking.sessions, in: sessions, "bfd_instance", &findings)
    return tracking
  }

  private func known(
    _ references: [VRRPTracking.Reference], in places: [String: Position], _ keyword: String,
    _ findings: inout DiagnosticList
  ) -> [VRRPTracking.Reference] {
    references.filter { reference in
      guard let place = places[reference.name] else {
        let like = nearest(to: reference.name, among: places.count <= 100 ? Array(places.keys) : [])
        findings.warning(
          at: reference.position, "there is no \(keyword) \(quoted(reference.name)), it is not tracked",
          remedy: like.map { "did you mean \(quoted($0))?" } ?? "add '\(keyword) \(reference.name) { … }'")
        return false
      }
      if place.line > reference.position.line, place.file == reference.position.file {
        findings.note(
          at: reference.position,
          "\(keyword) \(quoted(reference.name)) stands below, in line \(place.line): keepalived would not track it",
          remedy: "move it above its use")
      }
      return true
    }
  }
}

extension VRRPInstance {
  /// The family of its adverts.
  public var family: IPAddress.Family {
    addresses.virtual.first?.prefix.address.family ?? network.source?.family
      ?? (network.isNativeIPv6 ? .ipv6 : .ipv4)
  }

  /// Version 2 counts seconds, version 3 hundredths, up to 40.95 s.
  fileprivate mutating func roundInterval(_ findings: inout DiagnosticList) {
    let place = origins.position(of: "advert_int") ?? position
    let (seconds, attoseconds) = advertInterval.components
    if version == 2 {
      let whole = max(1, Int(seconds) + (attoseconds >= 500_000_000_000_000_000 ? 1 : 0))
      guard advertInterval != .seconds(whole) else { return }
      findings.warning(
        at: place, "advert_int \(advertInterval.secondsText) is \(whole) s: VRRP version 2 knows whole seconds only",
        remedy: "write \(whole), or 'version 3'")
      advertInterval = .seconds(whole)
    } else {
      let hundredths = Int(seconds) * 100 + Int((attoseconds + 5_000_000_000_000_000) / 10_000_000_000_000_000)
      let rounded = Duration.milliseconds(10 * min(max(hundredths, 1), 4095))
      guard rounded != advertInterval else { return }
      findings.warning(
        at: place,
        "advert_int \(advertInterval.secondsText) is \(rounded.secondsText) s: VRRP version 3 knows hundredths, up to 40.95",
        remedy: "write \(rounded.secondsText)")
      advertInterval = rounded
    }
  }
}
