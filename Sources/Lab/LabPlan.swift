import Wire

/// Everything that shapes one lab: mode, names, addresses, sizes. A value; nothing here touches the system.
///
/// The client's side is 10.0.1.0/24 (fd00:1::/64), the servers' own side 10.0.2.0/24 (fd00:2::/64), the VIP
/// 10.200.0.1 (fd00:200::1), full NAT's local addresses 10.2.0.1-8 (fd00:a::1-8). Ethernet addresses are fixed,
/// so that a capture can be read without a legend.
public struct LabPlan: Sendable {
  /// What is shown.
  public let mode: LabMode
  /// A bridge for the client and another for the servers, the director with a port in each.
  public let isTwoArmed: Bool
  /// What every namespace's name begins with.
  public let prefix: String
  /// Where configurations, logs and files go; removed with the lab.
  public let folder: String
  /// Size of the file behind `/download`.
  public let fileByteCount: Int
  /// Queues of the director's ports.
  public let queueCount: Int
  /// By what the services know their packets.
  public let services: LabServices

  /// A plan. The routed forms (tun, fullnat-routed) keep their router when one-armed; two-armed, the director itself
  /// stands between the subnets.
  public init(
    mode: LabMode, isTwoArmed: Bool = false, prefix: String = "lbd-", folder: String? = nil,
    fileByteCount: Int = 16 << 20, queueCount: Int = 1, services: LabServices = .address
  ) {
    self.mode = mode
    self.isTwoArmed = isTwoArmed
    self.prefix = prefix
    self.folder = folder ?? LabPlan.defaultFolder(prefix: prefix)
    self.fileByteCount = fileByteCount
    self.queueCount = queueCount
    self.services = services
  }

  /// Root's own corner, so that nobody else can prepare a link there.
  public static func defaultFolder(prefix: String) -> String { "\(folderOfFolders)/\(prefix)lab" }
  static let folderOfFolders = "/var/lib/lbd-lab"

  /// Prefixes become part of namespace and folder names.
  public static func isValid(prefix: String) -> Bool {
    (2...20).contains(prefix.utf8.count)
      && prefix.utf8.allSatisfy { (97...122).contains($0) || (48...57).contains($0) || $0 == UInt8(ascii: "-") }
      && prefix.utf8.first != UInt8(ascii: "-")
  }

  // MARK: Names

  static let roles = ["client", "director", "rs1", "rs2", "switch", "router"]
  /// The client's namespace.
  public var client: String { prefix + "client" }
  /// The director's namespace.
  public var director: String { prefix + "director" }
  var ethernetSwitch: String { prefix + "switch" }
  var router: String { prefix + "router" }
  /// The real servers' namespaces.
  public var servers: [String] { [prefix + "rs1", prefix + "rs2"] }
  /// The namespaces of all real servers: those, and the director's where it is one itself.
  var hosts: [String] { servers + (services.hasLocalServer ? [director] : []) }
  var namespaces: [String] {
    [client, director] + servers + [ethernetSwitch] + (hasRouter ? [router] : [])
  }

  // MARK: Shape

  /// A router stands between client side and servers' side.
  var hasRouter: Bool { !isTwoArmed && (mode.isTunnel || mode == .fullnatRouted) }
  /// There is a second bridge.
  var hasBackBridge: Bool { isTwoArmed || hasRouter }
  /// The servers share the client's subnet: only where they must answer on the same wire.
  var isFlat: Bool { mode == .dr && !isTwoArmed }
  /// The director has an address of its own on the servers' side.
  var directorFacesServers: Bool { !isFlat && !hasRouter }
  /// Answers of servers holding the VIP pass through the director's kernel.
  var directorForwards: Bool { isTwoArmed && mode.serversHoldVIP }
  /// Encapsulation needs room: 20 or 40 bytes more than the client's 1500. Without it the director tells the client, and
  /// cuts what may be cut before it puts it into the tunnel.
  var mtu: Int { mode == .tun ? 1600 : LabPlan.clientMTU }
  /// The client's link takes no more than usual.
  static let clientMTU = 1500
  /// The largest packet of a client that arrives uncut, as it is told.
  func pathMTU(_ family: IPAddress.Family) -> Int {
    if mode.hasNarrowTunnel { return mtu - (family == .ipv4 ? 20 : 40) - mode.tunnelByteCount }
    return mode == .fullnatTranslated && family == .ipv4 ? mtu - 20 : LabPlan.clientMTU
  }
  /// Interfaces the director listens on.
  var directorPorts: [String] { isTwoArmed ? ["eth0", "eth1"] : ["eth0"] }
  /// The switch's ends of the director's links.
  var directorSwitchPorts: [String] { isTwoArmed ? ["director", "director2"] : ["director"] }
  /// Where the director's address on the servers' side lives.
  var directorBackPort: String { isTwoArmed ? "eth1" : "eth0" }

  // MARK: Addresses

  /// The address of the virtual services.
  public static func vip(_ family: IPAddress.Family) -> String { family == .ipv4 ? "10.200.0.1" : "fd00:200::1" }
  static func front(_ host: String, _ family: IPAddress.Family) -> String {
    (family == .ipv4 ? "10.0.1." : "fd00:1::") + host
  }
  static func back(_ host: String, _ family: IPAddress.Family) -> String {
    (family == .ipv4 ? "10.0.2." : "fd00:2::") + host
  }
  static func subnetLength(_ family: IPAddress.Family) -> Int { family == .ipv4 ? 24 : 64 }
  static func hostLength(_ family: IPAddress.Family) -> Int { family == .ipv4 ? 32 : 128 }
  static func local(_ number: Int, _ family: IPAddress.Family) -> String {
    (family == .ipv4 ? "10.2.0." : "fd00:a::") + String(number)
  }
  static func localRange(_ family: IPAddress.Family) -> String { local(1, family) + "-8" }
  static func localPrefix(_ family: IPAddress.Family) -> String {
    family == .ipv4 ? "10.2.0.0/24" : "fd00:a::/64"
  }
  static let localAddressCount = 8
  static let routerHost = "254"
  static let directorHost = "2"
  static let clientHost = "1"
  static let vlan = 100

  /// The address of a real server, counted from 0; the last may be the director's own.
  public func serverAddress(_ index: Int, _ family: IPAddress.Family) -> String {
    guard index < servers.count else {
      let host = LabPlan.directorHost
      return directorFacesServers ? LabPlan.back(host, family) : LabPlan.front(host, family)
    }
    return isFlat ? LabPlan.front("1\(index + 1)", family) : LabPlan.back("1\(index + 1)", family)
  }

  /// The family of the servers behind the VIP of a family.
  func serverFamily(_ family: IPAddress.Family) -> IPAddress.Family {
    mode == .fullnatTranslated ? (family == .ipv4 ? .ipv6 : .ipv4) : family
  }

  /// Control groups that the servers' programs run in; nil where they need none.
  var controlGroups: [String]? { mode.conveyance == "toa" ? servers : nil }

  /// Fixed Ethernet addresses: 02:00:00:00:SIDE:HOST.
  static func ethernet(side: Int, host: String) -> String {
    let number = Int(host) ?? 0
    let digits = String(number, radix: 16)
    return "02:00:00:00:0\(side):\(digits.count < 2 ? "0" : "")\(digits)"
  }

  // MARK: Services

  static let families: [IPAddress.Family] = [.ipv4, .ipv6]
  static let httpPort = 80
  static let echoPort = 5353
  /// A UDP service that nobody on the servers listens for: what arrives is answered by ICMP.
  static let closedPort = 5354
  /// The next ones, likewise: tracepath(8) takes another for every probe.
  var closedPorts: Range<Int> {
    LabPlan.closedPort..<LabPlan.closedPort + (services == .address ? LabPlan.closedPortCount : 1)
  }
  static let closedPortCount = 16
  static let ftpPort = 21
  /// The servers', which send data from the port below.
  static let serverFTPPort = 2121
  /// FTP is for NAT: without it, or with it and DR's or a tunnel's one port, it would need persistence.
  var hasFTP: Bool { mode == .nat && services == .address }
  var serverHTTPPort: Int { mode.mapsPorts ? 8080 : 80 }

  /// `http://10.200.0.1/` or `http://[fd00:200::1]/`.
  public static func url(_ family: IPAddress.Family, _ path: String = "/") -> String {
    family == .ipv4 ? "http://\(vip(family))\(path)" : "http://[\(vip(family))]\(path)"
  }
}
