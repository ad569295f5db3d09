import Wire

// What monitoring programs read of an instance in keepalived's files. This version runs no VRRP: the state is INIT, nothing
// was sent, received or set. The words are those of keepalived 2.2.7.

/// An instance of VRRP as keepalived tells of it.
struct VRRPRecord {
  let instance: VRRPInstance
  let globals: GlobalSettings

  var name: String { instance.name }
  /// What it will be, by number and by word.
  var wanted: (number: Int, word: String) { instance.state == .master ? (2, "MASTER") : (1, "BACKUP") }
  var routerID: Int { instance.routerID ?? 0 }
  var sendsMail: Bool { instance.notification.smtpAlert ?? globals.mail.alertsForVRRP }

  /// The virtual interface, where there is one.
  var virtualInterface: String? {
    instance.network.virtualMAC.map { $0.interface ?? "vrrp.\(routerID)" }
  }

  /// The interface it works on.
  var interface: String { virtualInterface ?? instance.interface ?? "" }

  var accepts: Bool { instance.election.acceptsTraffic ?? !instance.election.isStrict }
  var lowerPriorityDelay: Duration {
    instance.announcement.lowerPriorityDelay ?? instance.announcement.masterDelay
  }
  var lowerPriorityRepeat: Int { instance.announcement.lowerPriorityRepeat ?? instance.announcement.masterRepeat }

  /// keepalived's name and number of how adverts are signed.
  var authentication: (number: Int, word: String) {
    switch instance.authentication?.kind {
    case nil: (0, "none")
    case .password: (1, "SIMPLE_PASSWORD")
    case .header: (2, "IPSEC_AH")
    }
  }

  /// `192.0.2.1/24 dev eth0 scope global label eth0:1`.
  func line(of address: VirtualAddress) -> String {
    let prefix = address.prefix
    let isV6 = prefix.address.family == .ipv6
    let isHost = prefix.length == (isV6 ? 128 : 32)
    var words = [isHost ? "\(prefix.address)" : "\(prefix)"]
    if let broadcast = address.broadcast, !isHost { words.append("brd \(broadcast)") }
    words.append("dev \(device(of: address)) scope \(address.scope ?? "global")")
    if let label = address.label { words.append("label \(label)") }
    words += address.flags
    if let seconds = address.preferredSeconds {
      words.append("preferred_lft \(seconds)")
    } else if isV6 {
      words.append(isHost ? "deprecated" : "preferred_lft forever")
    }
    return words.joined(separator: " ")
  }

  private func device(of address: VirtualAddress) -> String {
    if let device = address.device { return device }
    guard let virtualInterface else { return interface }
    return "\(virtualInterface)@\(instance.interface ?? "")"
  }

  func line(of route: VirtualRoute) -> String {
    let destination = route.destination.map { "\($0)" } ?? (route.family == .ipv6 ? "::/0" : "0.0.0.0/0")
    var words = route.kind == "unicast" ? [destination] : [route.kind, destination]
    words += route.gateways.map { "via \($0.family == .ipv6 ? "inet6" : "inet") \($0)" }
    if let source = route.source { words.append("src \(source)") }
    if let device = route.device { words.append("dev \(device)") }
    if let table = route.table { words.append("table \(table)") }
    if let metric = route.metric { words.append("metric \(metric)") }
    return (words + route.options).joined(separator: " ")
  }

  func line(of rule: VirtualRule) -> String {
    var words: [String] = []
    if let from = rule.from { words.append("from \(from)") }
    if let to = rule.to { words.append("to \(to)") }
    if let priority = rule.priority { words.append("priority \(priority)") }
    if let device = rule.inputDevice { words.append("iif \(device)") }
    if let device = rule.outputDevice { words.append("oif \(device)") }
    if let mark = rule.mark { words.append("fwmark \(mark)") }
    if let table = rule.table { words.append("lookup \(table)") }
    return (words + rule.options).joined(separator: " ")
  }

  /// `'/usr/bin/notify' 'master'`, or nil.
  func script(_ keyword: String) -> String? {
    instance.notification.scripts[keyword]?.words.map { "'\($0)'" }.joined(separator: " ")
  }
}

extension VRRPConfiguration {
  func records(_ globals: GlobalSettings) -> [VRRPRecord] {
    instances.map { VRRPRecord(instance: $0, globals: globals) }
  }
}
