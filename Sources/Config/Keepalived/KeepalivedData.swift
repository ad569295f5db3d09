// `keepalived.data` and `keepalived.stats`: what USR1 and USR2 make keepalived write, in its layout, which programs read.

/// What keepalived writes about VRRP, for people.
public enum KeepalivedData {
  /// `keepalived.data`.
  public static func data(_ configuration: Configuration) -> String {
    var text = "------< Global definitions >------\n" + globals(configuration)
    text += "------< VRRP Topology >------\n"
    for record in configuration.vrrp.records(configuration.globals) { text += instance(record) }
    if !configuration.vrrp.groups.isEmpty { text += "------< VRRP Sync groups >------\n" }
    for group in configuration.vrrp.groups {
      text += " VRRP Sync Group = \(group.name), INIT\n   VRRP member instances :\n"
      for member in group.members { text += "     \(member)\n" }
    }
    return text
  }

  /// `keepalived.stats`.
  public static func statistics(_ configuration: Configuration) -> String {
    configuration.vrrp.instances.map { instance in
      """
      VRRP Instance: \(instance.name)
        Advertisements:
          Received: 0
          Sent: 0
        Became master: 0
        Released master: 0
        Packet Errors:
          Length: 0
          TTL: 0
          Invalid Type: 0
          Advertisement Interval: 0
          Address List: 0
        Authentication Errors:
          Invalid Type: 0
          Type Mismatch: 0
          Failure: 0
        Priority Zero:
          Received: 0
          Sent: 0

      """
    }.joined()
  }

  private static func globals(_ configuration: Configuration) -> String {
    let globals = configuration.globals
    var lines = [" Router ID = \(globals.routerID ?? "(host name)")"]
    let mail = globals.mail
    if let server = mail.server { lines.append(" Smtp server = \(server), port \(mail.port)") }
    if let sender = mail.sender { lines.append(" Email notification from = \(sender)") }
    lines += mail.recipients.map { " Email notification = \($0)" }
    lines.append(" VRRP IPv4 mcast group = \(globals.vrrp.group4)")
    lines.append(" VRRP IPv6 mcast group = \(globals.vrrp.group6)")
    lines.append(" VRRP default protocol version = \(globals.vrrp.version)")
    return lines.joined(separator: "\n") + "\n"
  }

  private static func instance(_ record: VRRPRecord) -> String {
    let (instance, announcement) = (record.instance, record.instance.announcement)
    var lines = [
      " VRRP Instance = \(record.name)",
      "   VRRP Version = \(instance.version)",
      "   State = INIT",
      "   Wantstate = \(record.wanted.word)",
      "   Interface = \(interface(record))",
      "   Gratuitous ARP delay = \(announcement.masterDelay.secondsText)",
      "   Gratuitous ARP repeat = \(announcement.masterRepeat)",
      "   Gratuitous ARP refresh = \(announcement.masterRefresh.secondsText)",
      "   Gratuitous ARP refresh repeat = \(announcement.masterRefreshRepeat)",
      "   Gratuitous ARP lower priority delay = \(record.lowerPriorityDelay.secondsText)",
      "   Gratuitous ARP lower priority repeat = \(record.lowerPriorityRepeat)",
      "   Down timer adverts = \(instance.election.downTimerAdverts)",
      "   Virtual Router ID = \(record.routerID)",
      "   Priority = \(instance.priority)",
      "   Effective priority = \(instance.priority)",
      "   Advert interval = \(interval(instance))",
      "   Accept = \(record.accepts ? "enabled" : "disabled")",
      "   Preempt = \(instance.election.nopreempt ? "disabled" : "enabled")",
      "   Promote_secondaries = \(instance.addresses.promotesSecondaries ? "enabled" : "disabled")",
    ]
    if instance.version == 2 { lines.append("   Authentication type = \(record.authentication.word)") }
    let addresses = instance.addresses
    lines += list("Virtual IP (\(addresses.virtual.count)):", addresses.virtual.map(record.line))
    lines += list("Virtual IP Excluded :", addresses.excluded.map(record.line))
    lines += list("Virtual Routes :", addresses.routes.map(record.line))
    lines += list("Virtual Rules :", addresses.rules.map(record.line))
    lines += list("Tracked interfaces :", instance.tracking.interfaces.map { "\($0.name) weight \($0.weight ?? 0)" })
    lines += list("Tracked scripts :", instance.tracking.scripts.map(\.name))
    lines.append("   Using smtp notification = \(record.sendsMail ? "yes" : "no")")
    lines.append("   Notify deleted = \(instance.notification.tellsDeletion ? "Deleted" : "Fault")")
    return lines.joined(separator: "\n") + "\n"
  }

  private static func interface(_ record: VRRPRecord) -> String {
    record.virtualInterface.map { "\($0), vmac on \(record.instance.interface ?? "")" } ?? record.interface
  }

  private static func interval(_ instance: VRRPInstance) -> String {
    guard instance.version == 3 else { return "\(instance.advertInterval.secondsText) sec" }
    let (seconds, attoseconds) = instance.advertInterval.components
    return "\(seconds * 1000 + attoseconds / 1_000_000_000_000_000) milli-sec"
  }

  /// A title and lines under it; nothing without lines.
  private static func list(_ title: String, _ lines: [String]) -> [String] {
    lines.isEmpty ? [] : ["   \(title)"] + lines.map { "     \($0)" }
  }
}
