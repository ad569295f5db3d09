import Wire

// The configuration as values: what is to be balanced, where to, and how. Files, commands and health results are all
// edits of this one model. Values that the text left out are filled in from Defaults.

/// An encapsulation for the tunnelling method.
public struct Tunnel: Hashable, Sendable {
  /// The outer header.
  public enum Kind: Hashable, Sendable {
    /// IP in IP, protocol 4 or 41.
    case ipip
    /// Generic UDP encapsulation to this UDP port.
    case gue(port: UInt16)
    /// Generic routing encapsulation, protocol 47.
    case gre
  }

  /// The checksum option of GUE and GRE.
  public enum Checksum: Hashable, Sendable {
    case none
    /// A checksum over the encapsulated packet.
    case csum
    /// Remote checksum offload, GUE only.
    case remcsum
  }

  /// The outer header.
  public let kind: Kind
  /// The checksum option.
  public let checksum: Checksum

  /// An encapsulation.
  public init(kind: Kind, checksum: Checksum = .none) {
    self.kind = kind
    self.checksum = checksum
  }

  /// Plain IP in IP.
  public static let ipip = Tunnel(kind: .ipip)
}

/// How a packet reaches the real server.
public enum ForwardingMethod: Hashable, Sendable {
  /// DR: the packet as it is, to the real server's MAC.
  case directRouting
  /// NAT: destination rewritten; replies come back through the director.
  case masquerading
  /// TUN: encapsulated.
  case tunnelling(Tunnel)
  /// FULLNAT: source rewritten to a local address as well.
  case fullNAT

  /// True when the real server's port may differ from the service's.
  public var translatesPorts: Bool { self == .masquerading || self == .fullNAT }

  /// True for every tunnel.
  public var isTunnelling: Bool {
    if case .tunnelling = self { return true }
    return false
  }

  /// `DR`, `NAT`, `TUN` or `FNAT`, as in configuration files.
  public var name: String {
    switch self {
    case .directRouting: "DR"
    case .masquerading: "NAT"
    case .tunnelling: "TUN"
    case .fullNAT: "FNAT"
    }
  }
}

/// How FULLNAT servers learn who the client is.
public enum ClientConveyance: String, Hashable, Sendable, CaseIterable {
  /// Not at all.
  case none
  /// A TCP option.
  case toa
  /// A PROXY protocol header of version 1.
  case proxyV1
  /// A PROXY protocol header of version 2.
  case proxyV2

  /// The directive that asks for it.
  public var directive: String {
    switch self {
    case .none: "nothing"
    case .toa: "toa"
    case .proxyV1: "proxy_protocol v1"
    case .proxyV2: "proxy_protocol v2"
    }
  }
}

/// What makes a virtual service distinct.
public enum ServiceKey: Hashable, Sendable, CustomStringConvertible {
  /// Packets of a protocol to an address and port.
  case address(TransportProtocol, Endpoint)
  /// Packets that carry a firewall mark.
  case mark(UInt32, IPAddress.Family)

  /// The family of the client side.
  public var family: IPAddress.Family {
    switch self {
    case .address(_, let endpoint): endpoint.address.family
    case .mark(_, let family): family
    }
  }

  /// The service's port, 0 for a mark.
  public var port: UInt16 {
    if case .address(_, let endpoint) = self { return endpoint.port }
    return 0
  }

  /// `TCP 10.0.0.1:80`, `FWM 7` or `FWM 7 IPv6`.
  public var description: String {
    switch self {
    case .address(let transport, let endpoint): "\(transport.name) \(endpoint)"
    case .mark(let mark, let family): "FWM \(mark)" + (family == .ipv6 ? " IPv6" : "")
    }
  }
}

/// Flags a scheduler may look at; their meaning depends on the scheduler.
public struct SchedulerFlags: OptionSet, Hashable, Sendable {
  /// The bits.
  public let rawValue: UInt8

  /// From the bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// flag-1; `sh-fallback` and `mh-fallback`.
  public static let flag1 = SchedulerFlags(rawValue: 1)
  /// flag-2; `sh-port` and `mh-port`.
  public static let flag2 = SchedulerFlags(rawValue: 2)
  /// flag-3; no scheduler uses it.
  public static let flag3 = SchedulerFlags(rawValue: 4)
  /// Try another real server when the hashed one is unavailable.
  public static let fallback = flag1
  /// Hash the source port as well.
  public static let port = flag2
}

/// Which bits of a client address count for persistence.
public enum PersistenceMask: Hashable, Sendable {
  /// A mask, not necessarily contiguous.
  case ipv4(UInt32)
  /// A prefix length, 1 to 128.
  case ipv6(Int)

  /// Every bit counts.
  public static func full(_ family: IPAddress.Family) -> PersistenceMask {
    family == .ipv4 ? .ipv4(.max) : .ipv6(128)
  }
}

/// A server that does the work.
public struct RealServer: Hashable, Sendable {
  /// Where it listens.
  public var endpoint: Endpoint
  /// 0 is quiescent: no new connections.
  public var weight: Int32 = Defaults.weight
  /// Set where it differs from the service's.
  public var methodOverride: ForwardingMethod?
  /// Connections from which on it counts as overloaded; 0 is none.
  public var upperThreshold: UInt32 = 0
  /// Connections below which it no longer does; 0 is three quarters of the upper one.
  public var lowerThreshold: UInt32 = 0
  /// The 802.1Q tag of frames to it, 1 to 4094; nil is untagged.
  public var vlan: UInt16?
  /// How long its connections go on once it takes no new ones, in seconds; nil is as in IPVS, without an end.
  public var drainSeconds: Int?
  /// How long its weight takes to rise once it is up again, in seconds; nil is at once.
  public var warmupSeconds: Int?
  /// Where it was configured.
  public var position: Position?
  private var shared: Shared<ServerMonitoring>?

  /// A server with every default.
  public init(endpoint: Endpoint) { self.endpoint = endpoint }

  /// How it is watched.
  public var monitoring: ServerMonitoring {
    get { shared?.value ?? ServerMonitoring() }
    set { shared = Shared(newValue) }
  }

  /// Takes what servers of the same words share.
  mutating func share(_ monitoring: Shared<ServerMonitoring>?) { shared = monitoring }

  /// The same wherever it stands and however it is watched: for comparing what packets see of it.
  public var withoutPosition: RealServer {
    var copy = self
    copy.position = nil
    copy.shared = nil
    return copy
  }
}

/// A virtual service and its real servers.
public struct VirtualService: Hashable, Sendable {
  /// Protocol, address and port, or a mark.
  public var key: ServiceKey
  /// A scheduler by its IPVS name.
  public var schedulerName: String = Defaults.schedulerName
  /// The scheduler's flags.
  public var schedulerFlags: SchedulerFlags = []
  /// How long a client stays with its server after its last connection; nil is not at all.
  public var persistenceSeconds: Int?
  /// Which clients are one for persistence.
  public var persistenceMask: PersistenceMask
  /// The engine that makes persistence keys of packets' contents.
  public var persistenceEngine: String?
  /// Schedule every UDP packet on its own.
  public var onePacket = false
  /// How packets reach the real servers.
  public var forwardingMethod: ForwardingMethod = Defaults.forwardingMethod
  /// For FULLNAT: the group that local addresses are taken from.
  public var localAddressGroup: String?
  /// For FULLNAT: how the real servers learn who the client is.
  public var clientConveyance = ClientConveyance.none
  /// In the order of the text.
  public var realServers: [RealServer] = []
  /// Serves while the real servers do not make up the quorum.
  public var sorryServer: Endpoint?
  /// When servers count, and who hears of it.
  public var monitoring = ServiceMonitoring()
  /// The `virtual_server_group` it comes from: all services of one block share their checks.
  public var groupName: String?
  /// Where it was configured.
  public var position: Position?

  /// A service with every default and no real servers.
  public init(key: ServiceKey) {
    self.key = key
    persistenceMask = .full(key.family)
  }

  /// The same wherever it and its servers stand, and however they are watched: for comparing what packets see.
  public var withoutPosition: VirtualService {
    var copy = self
    copy.position = nil
    copy.groupName = nil
    copy.monitoring = ServiceMonitoring()
    copy.realServers = realServers.map(\.withoutPosition)
    return copy
  }

  /// The method that applies to one of its servers.
  public func forwardingMethod(to server: RealServer) -> ForwardingMethod {
    server.methodOverride ?? forwardingMethod
  }
}

/// Local addresses that FULLNAT puts in place of clients' addresses.
public struct LocalAddressGroup: Hashable, Sendable {
  /// The name services refer to.
  public var name: String
  /// In the order of the text, each once.
  public var addresses: [IPAddress]
  /// Where it was configured.
  public var position: Position?

  /// A group.
  public init(name: String, addresses: [IPAddress], position: Position? = nil) {
    self.name = name
    self.addresses = addresses
    self.position = position
  }
}

/// Connection timeouts that can be set from outside, in seconds.
public struct ConnectionTimeouts: Hashable, Sendable {
  /// Established TCP connections.
  public var tcpSeconds: Int = Defaults.tcpTimeoutSeconds
  /// TCP connections after a FIN.
  public var tcpFinSeconds: Int = Defaults.tcpFinTimeoutSeconds
  /// UDP flows.
  public var udpSeconds: Int = Defaults.udpTimeoutSeconds

  /// The defaults.
  public init() {}
}

/// What only this program has to know: the `lbd` block.
public struct LbdSettings: Hashable, Sendable {
  /// How frames are taken off an interface.
  public enum PortKind: String, Hashable, Sendable, CaseIterable {
    /// AF_XDP where possible, else a packet ring.
    case auto
    /// AF_XDP.
    case xdp
    /// An AF_PACKET ring.
    case packet
  }

  /// The connection table's capacity.
  public var connectionCapacity: Int = Defaults.connectionCapacity
  /// Interfaces to work on; empty means those that routes lead over.
  public var interfaceNames: [String] = []
  /// How frames are taken.
  public var portKind: PortKind = .auto
  /// How many workers; nil is one for each allowed core.
  public var workerCount: Int?
  /// Source ports of FULLNAT connections.
  public var localPorts: ClosedRange<UInt16> = Defaults.localPorts
  /// What is too large for a tunnel is cut before it is put in, not the outer packet.
  public var cutsInsideTunnels = false
  /// What is set of `net.ipv4.vs.*`; what is not has its default.
  public var ipvs: [IPVSSetting: IPVSSetting.Value] = [:]
  /// Ports whose connections through NAT the FTP helper is for; none: it is off.
  public var ftpPorts: [UInt16] = []
  /// Where metrics and status are to be had by HTTP; nil is nowhere.
  public var web: Endpoint?
  /// What is set of `net.ipv4.icmp_*` and `net.ipv6.icmp.*`, likewise.
  public var icmp: [ICMPSetting: ICMPSetting.Value] = [:]

  /// The defaults.
  public init() {}
}

/// Everything a configuration file says.
public struct Configuration: Hashable, Sendable {
  /// In the order of the text.
  public var services: [VirtualService] = []
  /// In the order of the text.
  public var localAddressGroups: [LocalAddressGroup] = []
  /// Connection timeouts.
  public var timeouts = ConnectionTimeouts()
  /// This program's own settings.
  public var settings = LbdSettings()
  /// Which packets carry which firewall mark.
  public var markRules = MarkRuleList()
  /// What `global_defs` says.
  public var globals = GlobalSettings()
  /// Where keepalived's files are, and the namespace.
  public var process = ProcessSettings()
  /// Virtual routers, and what is tracked.
  public var vrrp = VRRPConfiguration()
  /// What checks over TLS show.
  public var tls: TLSClient?

  /// The empty configuration.
  public init() {}

  /// The same wherever its parts stand, without what packets see nothing of: for comparing two readings.
  public var withoutPositions: Configuration {
    var copy = self
    copy.globals = GlobalSettings()
    copy.process = ProcessSettings()
    copy.vrrp = VRRPConfiguration()
    copy.tls = nil
    copy.services = services.map(\.withoutPosition)
    for index in copy.localAddressGroups.indices { copy.localAddressGroups[index].position = nil }
    copy.markRules = markRules.withoutPositions
    return copy
  }
}
