import Glibc
import Kernel
import Wire

// What a real server needs so that the director can send it packets for an address that is not its own.
//
// Direct routing and tunnels: the packet still says "to the VIP", so the VIP must be local here, and nobody may hear
// of it. It goes to `lo` as a host address. IPv4 needs more than that: Linux answers ARP on any interface for any
// address of the host, so arp_ignore=1 (answer only for addresses of the interface asked on) and arp_announce=2
// (never name the VIP as sender in requests of our own, which teaches the router just as well). The kernel takes the
// larger of `all` and the interface's value, so `all` is what counts; `lo` and the interface are set too, for the eye
// and for scripts that look there. Both are in force before the VIP appears and until it is gone.
//
// IPv6 needs no such settings: neighbour solicitations are answered for the addresses of the interface they arrive
// on only (and for proxy entries), never for those of `lo`. What IPv6 does need is the address marked deprecated,
// because its source selection (RFC 6724) considers the addresses of every interface; and no duplicate detection.
//
// Tunnels: an XDP program takes the outer header off, and the inner packet comes in on the physical interface from
// any client in the world: a reverse path filter would drop those whose way back is another interface. NAT and FULLNAT
// need nothing of the host but a way back.
//
// Everything that is changed is recorded first with its old value (RealServerState); `undo` puts back what is still as
// setup left it and says so where it is not.

/// Sets a host up as a real server, shows what was done, and takes it back.
public struct RealServerHost: Sendable {
  /// How the director's packets arrive.
  public enum Mode: String, Sendable, CaseIterable {
    /// Direct routing: unchanged, by Ethernet address.
    case dr
    /// In a tunnel.
    case tun
    /// With the destination rewritten.
    case nat
    /// With both addresses rewritten.
    case fullnat
  }

  /// What to set up.
  public struct Request: Sendable {
    /// The addresses of the virtual services.
    public var vips: [IPAddress]
    /// How packets arrive.
    public var mode: Mode
    /// The interface they arrive on; nil: the one of the default route (tunnels only need one).
    public var interface: String?
    /// This host's addresses that the director's tunnels end at; empty: all of the interface's.
    public var endpoints: [IPAddress]
    /// The segment size to announce to clients of a tunnel; nil: only advise.
    public var advertisedMSS: Int?
    /// The UDP ports that GUE comes to.
    public var guePorts: [UInt16]

    /// True: programs here are told their clients' addresses, which FULLNAT directors put into a TCP option (TOA).
    public var conveysClients = false
    /// Local addresses of those directors.
    public var directors: [IPAddress] = []
    /// The control group whose processes are told; nil: the root, which has all.
    public var controlGroup: String?

    /// The port that is registered for GUE.
    public static let usualGUEPort: UInt16 = 6080

    /// A request.
    public init(
      vips: [IPAddress], mode: Mode, interface: String? = nil, endpoints: [IPAddress] = [], advertisedMSS: Int? = nil,
      guePorts: [UInt16] = [Request.usualGUEPort]
    ) {
      self.vips = vips
      self.mode = mode
      self.interface = interface
      self.endpoints = endpoints
      self.advertisedMSS = advertisedMSS
      self.guePorts = guePorts
    }
  }

  /// What the decapsulating program is attached to, and which outer destinations it accepts.
  public struct Decapsulation: Sendable {
    /// The interface's number.
    public let interfaceIndex: Int32
    /// The interface's name.
    public let interfaceName: String
    /// Outer destination addresses.
    public let endpoints: [IPAddress]
    /// The UDP ports that GUE comes to.
    public let guePorts: [UInt16]
  }

  /// Where the changes are recorded.
  public let statePath: String

  let report: @Sendable (String) -> Void

  /// - Parameters:
  ///   - statePath: one file per network namespace; `/run` is shared by all of them.
  ///   - report: takes one short line per thing done or seen.
  public init(
    statePath: String = "/run/lbd/realserver.json", report: @escaping @Sendable (String) -> Void
  ) {
    self.statePath = statePath
    self.report = report
  }

  /// Makes the host a real server for the VIPs. Running it again adds to what is there; old values stay those of the
  /// first time.
  /// - Parameter attachDecapsulation: attaches the program so that it outlives this process, in place of an earlier
  ///   one of its own but of no other.
  public func setup(
    _ request: Request, attachDecapsulation: (Decapsulation) throws -> Void
  ) throws {
    if request.conveysClients { return try setUpClients(request) }
    guard request.mode == .dr || request.mode == .tun else { return reportNothingToDo(request.mode) }
    guard !request.vips.isEmpty else {
      throw SystemError("set up mode \(request.mode.rawValue)", errno: EINVAL, remedy: "name at least one VIP")
    }
    var network = try NetlinkSocket()
    let link = try interface(of: request, &network)
    try refuseAnsweringInterface(request.vips, &network)
    let file = try RealServerStateFile(path: statePath, isWriter: true)
    var state = try file.load()
    state.author = RealServerStateFile.author()

    if request.vips.contains(where: { $0.family == .ipv4 }) {
      for (setting, value) in try RealServerHost.settings(request.mode, interface: link?.name) {
        try set(setting, to: value, &state, file)
      }
    }
    if request.mode == .tun, let link {
      try attach(to: link, request, &state, file, &network, attachDecapsulation)
    }
    for vip in request.vips { try add(vip, &state, file, &network) }
    if request.mode == .tun, let link { try limitSegments(request, link, &state, file, &network) }
  }

  /// Settings for IPv4, in the order they are made.
  static func settings(_ mode: Mode, interface: String?) throws -> [(SystemSetting, String)] {
    var settings: [(SystemSetting, String)] = []
    for name in ["all", "lo"] + [interface].compactMap({ $0 }) {
      settings.append((try .ipv4(name, "arp_ignore"), "1"))
      settings.append((try .ipv4(name, "arp_announce"), "2"))
    }
    if mode == .tun {
      for name in ["all"] + [interface].compactMap({ $0 }) {
        settings.append((try .ipv4(name, "rp_filter"), "0"))
      }
    }
    return settings
  }

  private func reportNothingToDo(_ mode: Mode) {
    report("mode \(mode.rawValue) needs no VIP and no settings on a real server; nothing was changed")
    switch mode {
    case .nat: report("replies must go back through the director: make it this host's gateway towards the clients")
    default: report("replies go to the director's local addresses: this host needs a route to them")
    }
  }

  private func interface(of request: Request, _ network: inout NetlinkSocket) throws -> Link? {
    let links = try network.links()
    if let name = request.interface {
      guard let link = links.first(where: { $0.name == name }) else {
        throw SystemError("use interface \(name)", errno: ENODEV, remedy: "no such interface; ip link lists them")
      }
      guard !link.isLoopback else {
        throw SystemError("use interface \(name)", errno: EINVAL, remedy: "packets do not arrive on the loopback")
      }
      return link
    }
    if request.mode == .dr { return nil }
    let defaults = try network.routes(inTables: [Route.mainTable]).filter {
      $0.destination.length == 0 && $0.kind == .unicast
    }
    guard let route = defaults.min(by: { $0.metric < $1.metric }),
      let link = links.first(where: { $0.index == route.linkIndex })
    else {
      throw SystemError(
        "choose an interface", errno: ENODEV, remedy: "there is no default route: name the one tunnels arrive on")
    }
    return link
  }

  /// arp_ignore does not keep an interface from answering for an address of its own.
  private func refuseAnsweringInterface(_ vips: [IPAddress], _ network: inout NetlinkSocket) throws {
    let links = try network.links()
    for address in try network.addresses() where vips.contains(address.prefix.address) {
      guard let link = links.first(where: { $0.index == address.linkIndex }), !link.isLoopback else { continue }
      throw SystemError(
        "hide \(address.prefix.address)", errno: EADDRINUSE,
        remedy: "\(link.name) has it and would answer for it: ip address del \(address.prefix) dev \(link.name)")
    }
  }

  private func set(
    _ setting: SystemSetting, to value: String, _ state: inout RealServerState, _ file: borrowing RealServerStateFile
  ) throws {
    let current = try setting.read()
    guard current != value else { return report("\(setting) is \(value) already") }
    if let index = state.settings.firstIndex(where: { $0.setting == setting }) {
      state.settings[index].value = value
    } else {
      state.settings.append(.init(setting: setting, previous: current, value: value))
    }
    try file.save(state)
    try setting.write(value)
    report("set \(setting) \(current) -> \(value)")
  }

  private func add(
    _ vip: IPAddress, _ state: inout RealServerState, _ file: borrowing RealServerStateFile,
    _ network: inout NetlinkSocket
  ) throws {
    let prefix = IPPrefix(host: vip)
    guard let loopback = try network.links().first(where: \.isLoopback) else {
      throw SystemError("add \(prefix)", errno: ENODEV, remedy: "there is no loopback interface")
    }
    let addresses = try network.addresses()
    if addresses.contains(where: { $0.linkIndex == loopback.index && $0.prefix.address == vip }) {
      return report("\(vip) is on \(loopback.name) already")
    }
    let entry = RealServerState.Address(prefix: prefix.description, interface: loopback.name)
    if !state.addresses.contains(entry) { state.addresses.append(entry) }
    try file.save(state)
    try network.addAddress(
      prefix, linkIndex: loopback.index, scope: .host, label: "\(loopback.name):lbd", isDeprecated: true)
    report("add \(prefix) to \(loopback.name)")
    if !loopback.isUp { report("\(loopback.name) is down: ip link set \(loopback.name) up") }
  }
}
