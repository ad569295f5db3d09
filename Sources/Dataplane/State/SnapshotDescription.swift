import Scheduler
import Wire

/// Everything control wants the workers to know, as values: what a `Snapshot` is built from.
///
/// Numbers (of services, servers, endpoints) are chosen by control and keep their meaning from one snapshot to the next
/// for as long as a connection may refer to them.
public struct SnapshotDescription: Sendable {
  /// A virtual service.
  public struct Service: Sendable {
    /// Its number; below `Limits.serverCapacity`.
    public var number: UInt16
    /// Number of its VIP:port.
    public var endpoint: UInt16
    /// The VIP.
    public var address: IPAddress
    /// Host byte order.
    public var port: UInt16
    /// TCP or UDP.
    public var transport: TransportProtocol
    /// How a real server is chosen.
    public var scheduler: Scheduler
    /// The scheduler's flags.
    public var flags: SchedulerFlags
    /// Server numbers in list order, newest first.
    public var servers: [UInt16]
    /// False when deleted: connections are looked up, nothing is scheduled.
    public var isActive: Bool
    /// False while the VIP is not this host's: its packets are not taken, its connections wait.
    public var isOurs: Bool
    /// FULLNAT local addresses by index; an inactive one only serves old connections.
    public var localAddresses: [(address: IPAddress, isActive: Bool)]
    /// FULLNAT local ports, inclusive.
    public var localPorts: ClosedRange<UInt16>
    /// The firewall mark of its packets, of any protocol; 0 when it goes by address. Address and port are then zero, and the
    /// transport says nothing.
    public var mark: UInt32 = 0
    /// Every UDP packet is scheduled on its own.
    public var isOnePacket = false
    /// How its servers learn of clients (FULLNAT).
    public var conveyance = Conveyance.none
    /// True when it has, or has had, connections that do not fit the small tables' keys: see `WideFullNAT`.
    public var opensWide = false
    /// nil is not persistent.
    public var persistence: Persistence?

    /// True when its connections have been opened by calls (SIP), and may still be there.
    public var hadCalls = false

    /// True when connections of it may be found by both ends in full only.
    var hasCalls: Bool { hadCalls || persistence?.engine == .sip }

    /// Former masks of its persistence, whose connections may still be there.
    public var formerMasks: [Persistence] = []

    /// The present mask first, then former ones.
    var masks: [AddressMask] {
      ([persistence].compactMap { $0 } + formerMasks).map { AddressMask(high: $0.maskHigh, low: $0.maskLow) }
    }

    /// True when its packets are known by address and port, false for a mark and for port 0.
    public var goesByEndpoint: Bool { mark == 0 && port != 0 }

    /// A service.
    public init(
      number: UInt16, endpoint: UInt16, address: IPAddress, port: UInt16, transport: TransportProtocol,
      scheduler: Scheduler, flags: SchedulerFlags = [], servers: [UInt16] = [], isActive: Bool = true,
      isOurs: Bool = true,
      localAddresses: [(address: IPAddress, isActive: Bool)] = [], localPorts: ClosedRange<UInt16> = 1024...65535
    ) {
      self.number = number
      self.endpoint = endpoint
      self.address = address
      self.port = port
      self.transport = transport
      self.scheduler = scheduler
      self.flags = flags
      self.servers = servers
      self.isActive = isActive
      self.isOurs = isOurs
      self.localAddresses = localAddresses
      self.localPorts = localPorts
    }
  }

  /// How clients stay with their server.
  public struct Persistence: Sendable, Equatable {
    /// What makes the key of a client's template.
    public enum Engine: UInt8, Sendable {
      /// The client's address.
      case address
      /// The Call-ID of SIP.
      case sip
    }

    /// How long a template lives after its last new connection.
    public var seconds: UInt32
    /// Which bits of an IPv6 address count, first half.
    public var maskHigh: UInt64
    /// Second half; for IPv4 all there is.
    public var maskLow: UInt64
    /// What makes the key.
    public var engine: Engine

    /// Persistence.
    public init(seconds: UInt32, maskHigh: UInt64 = .max, maskLow: UInt64 = .max, engine: Engine = .address) {
      self.seconds = seconds
      self.maskHigh = maskHigh
      self.maskLow = maskLow
      self.engine = engine
    }
  }

  /// A real server of one service.
  public struct Server: Sendable {
    /// Its number, among the servers of all services.
    public var number: UInt16
    /// Number of its service.
    public var service: UInt16
    /// Number of its address:port; meaningful for NAT and FULLNAT, 0 otherwise.
    public var endpoint: UInt16
    /// Its address.
    public var address: IPAddress
    /// Host byte order.
    public var port: UInt16
    /// How packets reach it.
    public var method: Forwarding
    /// 0 is quiescent.
    public var weight: Int32
    /// The last weight that was not 0, or 0 when it never had one: what Maglev hashing goes by.
    public var lastWeight: Int32
    /// False when removed: only its connections remain, and their packets are dropped.
    public var isAvailable: Bool
    /// True when its connections end at once, with or without packets.
    public var isForgotten = false
    /// What becomes of its connections once it takes no new ones.
    public var draining = Draining.none
    /// Connections from which on it takes no new ones; 0 for none.
    public var upperThreshold: UInt32
    /// Connections below which it takes new ones again; 0 for three quarters of the upper one.
    public var lowerThreshold: UInt32
    /// Where its packets leave.
    public var nextHop: NextHop
    /// Source address of tunnel packets to it.
    public var tunnelSource: IPAddress?
    /// What stands between the outer header and a tunnelled packet.
    public var encapsulation = Encapsulation.ipip
    /// Counts up with every server that is added.
    public var age: UInt64 = 0
    /// The number that is in the service's list. Another one has but the connections that were opened by a method which the
    /// server has, or had, besides.
    public var owner: UInt16
    /// The number that its new connections get.
    public var form: UInt16

    /// A real server.
    public init(
      number: UInt16, service: UInt16, endpoint: UInt16, address: IPAddress, port: UInt16, method: Forwarding,
      weight: Int32, lastWeight: Int32? = nil, nextHop: NextHop, tunnelSource: IPAddress? = nil,
      isAvailable: Bool = true, upperThreshold: UInt32 = 0, lowerThreshold: UInt32 = 0
    ) {
      self.number = number
      self.service = service
      self.endpoint = endpoint
      self.address = address
      self.port = port
      self.method = method
      owner = number
      form = number
      self.weight = weight
      self.lastWeight = lastWeight ?? weight
      self.nextHop = nextHop
      self.tunnelSource = tunnelSource
      self.isAvailable = isAvailable
      self.upperThreshold = upperThreshold
      self.lowerThreshold = lowerThreshold
    }

    /// What schedulers' tables are made from.
    var hashed: HashedServer {
      let fold = address.family == .ipv6 ? AddressFold.v6(high: address.high, low: address.low) : address.v4
      let identity = ServerIdentity.of(
        high: address.words.high, low: address.words.low, port: port, isIPv6: address.family == .ipv6)
      return HashedServer(
        weight: weight, lastWeight: lastWeight, addressFold: fold, port: port, identity: identity)
    }
  }

  /// A route of the kernel's.
  public struct Route: Sendable {
    /// What it matches.
    public var prefix: IPPrefix
    /// The gateway's next hop, or (on link) what to do with a host that is not among the neighbours.
    public var nextHop: NextHop
    /// True when destinations are on the link itself.
    public var isOnLink: Bool

    /// A route.
    public init(prefix: IPPrefix, nextHop: NextHop, isOnLink: Bool) {
      self.prefix = prefix
      self.nextHop = nextHop
      self.isOnLink = isOnLink
    }
  }

  /// A resolved neighbour.
  public struct Neighbour: Sendable {
    /// The neighbour's IP address.
    public var address: IPAddress
    /// Where packets to it leave.
    public var nextHop: NextHop

    /// A neighbour.
    public init(address: IPAddress, nextHop: NextHop) {
      self.address = address
      self.nextHop = nextHop
    }
  }

  /// Where lbd itself sends from, per interface: for the ICMP errors it originates.
  public struct Interface: Sendable {
    /// Its MAC address.
    public var address: EthernetAddress
    /// Largest IP packet in bytes.
    public var mtu: Int
    /// Its first IPv4 address.
    public var ipv4: IPAddress?
    /// Its first IPv6 address that is not link-local.
    public var ipv6: IPAddress?

    /// An interface.
    public init(address: EthernetAddress, mtu: Int, ipv4: IPAddress? = nil, ipv6: IPAddress? = nil) {
      self.address = address
      self.mtu = mtu
      self.ipv4 = ipv4
      self.ipv6 = ipv6
    }
  }

  /// In the dataplane's order.
  public var interfaces: [Interface] = []
  /// Deleted ones with connections included.
  public var services: [Service] = []
  /// Removed ones with connections included.
  public var servers: [Server] = []
  /// Servers of DR and TUN as checks reach them that go the way of clients' packets, whether they are in the pool or not; by
  /// the way's number, which control chooses and keeps.
  public var checkWays: [(number: UInt16, server: Server)] = []
  /// In order of preference: of two equal prefixes the first counts.
  public var routes: [Route] = []
  /// Those whose MAC address is known.
  public var neighbours: [Neighbour] = []
  /// Of connections.
  public var timeouts = Timeouts()
  /// `net.ipv4.vs.*`.
  public var settings = IPVSSettings()
  /// The FTP helper has been on: connections may still have need of it.
  public var hasHelped = false
  /// Which packets carry which firewall mark, in order.
  public var markRules: [MarkRule] = []

  /// Nothing is ours.
  public init() {}
}

/// How long a connection lives after its last packet, in seconds.
public struct Timeouts: Sendable, Equatable {
  /// By TCP state, in IPVS's numbering (NONE, ESTABLISHED, SYN_SENT, SYN_RECV, FIN_WAIT, TIME_WAIT, CLOSE, CLOSE_WAIT,
  /// LAST_ACK, LISTEN, SYNACK).
  public var tcp: [UInt32] = [2, 900, 120, 60, 120, 120, 10, 60, 30, 120, 120]
  /// UDP.
  public var udp: UInt32 = 300

  /// IPVS's defaults.
  public init() {}

  /// The longest of all states and protocols, in seconds.
  var longest: UInt32 { max(tcp.max() ?? 0, udp, ConnectionState.SCTP.established.timeoutSeconds) }

  /// ESTABLISHED, FIN_WAIT and UDP are the three that can be set (`ipvsadm --set`, `lvs_timeouts`); 0 keeps a value.
  public mutating func set(tcp established: UInt32, tcpFin: UInt32, udp: UInt32) {
    if established != 0 { tcp[1] = established }
    if tcpFin != 0 { tcp[4] = tcpFin }
    if udp != 0 { self.udp = udp }
  }
}

extension SnapshotDescription {
  /// True when the FTP helper is on, or has been.
  var hasHelpers: Bool { hasHelped || !settings.ftpPorts.isEmpty }

  /// True for a service whose connections to NAT servers the FTP helper is for, and that is known by address and port: the
  /// others are in the wide table anyhow.
  func helps(_ service: Service) -> Bool {
    service.goesByEndpoint && service.transport == .tcp && settings.ftpPorts.contains(service.port)
  }
}
