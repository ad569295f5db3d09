import CShims
import Scheduler
import Wire

/// A virtual service as workers see it.
struct ServiceRecord {
  /// The VIP; IPv4 in the low 32 bits of `low`.
  var addressHigh: UInt64
  var addressLow: UInt64
  var port: UInt16
  var protocolNumber: UInt8
  var isIPv6: Bool
  /// Number of its VIP:port, the near end in keys of requests.
  var endpoint: UInt16
  /// False when the service has been deleted and only its connections remain.
  var isActive: Bool
  var scheduler: Scheduler
  var schedulerFlags: SchedulerFlags
  var servers: RealServerSet
  /// FULLNAT: local addresses (two words each, as in `IPAddress`), stable for the life of a connection.
  var localAddresses: UnsafePointer<LocalAddress>?
  var localAddressCount: Int
  var localPortFirst: UInt16
  var localPortLast: UInt16
  /// Not 0: a service by firewall mark.
  var mark: UInt32 = 0
  /// 0: not persistent.
  var persistenceSeconds: UInt32 = 0
  /// The present mask first, then former ones.
  var persistenceMasks: UnsafePointer<AddressMask>
  var persistenceMaskCount: Int = 0
  var isOnePacket = false
  /// How its servers learn of clients.
  var conveyance = Conveyance.none
  /// Templates are for calls, known by their Call-ID (SIP).
  var goesByCall = false
  /// Its connections are found by both ends in full, although it is one address and port.
  var opensWide = false

  /// It cannot be found by its address and port.
  var isWide: Bool { mark != 0 || port == 0 }
}

/// Which bits of a client's address tell it apart, in two words.
struct AddressMask {
  var high: UInt64
  var low: UInt64

  /// A few bits that tell it from others; never 0.
  var digest: UInt8 { UInt8(truncatingIfNeeded: (high.nonzeroBitCount + low.nonzeroBitCount) % 61 + 1) }
}

/// A FULLNAT local address.
struct LocalAddress {
  var high: UInt64
  var low: UInt64
  /// False when it has been taken out of the group and only serves connections that have it.
  var isActive: Bool
  var isIPv6 = false
}

/// How packets reach a real server.
public enum Forwarding: UInt8, Sendable {
  case directRouting
  case masquerading
  case tunnelling
  case fullNAT

  /// True where addresses and ports are rewritten, which makes replies pass here too.
  @inline(__always)
  var rewritesTransport: Bool { self == .masquerading || self == .fullNAT }
}

/// A real server of one service as workers see it, with all that can be computed ahead of its packets.
///
/// A server whose method has been edited has a record for each, a *form* of it, as long as there are connections by that
/// method: a connection's number says its form. All else goes by one of these numbers, the owner's.
///
/// What a request needs stands in the first line, what a reply or a tunnel needs in the second.
struct ServerRecord {
  /// Where its packets leave. First, so that a pointer to the record is one to the next hop.
  var hop: NextHop
  var addressHigh: UInt64
  var addressLow: UInt64
  var port: UInt16
  /// What VIP:port -> address:port changes in a transport checksum. (FULLNAT's source comes on top.)
  var requestDelta: UInt16
  /// IPv4: what the new address and one hop less change in the header's checksum.
  var requestHeaderDelta: UInt16
  /// Whatever a number's later snapshots say, it does not change: a connection keeps the method that it was opened by.
  var method: Forwarding
  /// False when it has been removed and only its connections remain.
  var isAvailable: Bool
  /// True when connections to it go on, and frames can be sent to it.
  var isReady: Bool
  /// Its weight is 0.
  var isQuiescent: Bool
  var isIPv6: Bool
  /// True when it has been removed and its connections are to end at once.
  var isForgotten: Bool
  var service: UInt16
  /// Number of its address:port, the near end in keys of replies.
  var endpoint: UInt16

  /// The VIP and the service's port.
  var virtualHigh: UInt64
  var virtualLow: UInt64
  var virtualPort: UInt16
  /// What address:port -> VIP:port changes.
  var replyDelta: UInt16
  var replyHeaderDelta: UInt16
  /// Sum over the addresses of an IPv4 tunnel header.
  var tunnelSum: UInt16
  /// Source address of tunnel packets to it.
  var tunnelSourceHigh: UInt64
  var tunnelSourceLow: UInt64
  var upperThreshold: UInt32
  var lowerThreshold: UInt32
  /// FULLNAT: the service's local addresses; as many as a connection can name, so that no index is out of bounds.
  var locals: UnsafePointer<LocalAddress>
  /// The same again as it stands in memory: addresses of IPv4, ports.
  var addressBytes: UInt32
  var virtualBytes: UInt32
  var tunnelSourceBytes: UInt32
  var portBytes: UInt16
  var virtualPortBytes: UInt16
  /// NAT: the deltas, ready for use (`ChecksumDelta.correct`).
  var requestHeaderStep: UInt64
  var replyHeaderStep: UInt64
  var requestStep: UInt16
  var replyStep: UInt16
  /// TUN, IP in IP: the largest packet that goes into the tunnel without a closer look; 0 for other tunnels.
  var tunnelRoom: UInt16
  /// "Don't fragment" of the packets inside, as it stands in memory, if that is to be heeded; else 0.
  var tunnelFragmentMask: UInt16
  /// TUN: see `PathMTUs.room`.
  var pathRoom: UnsafePointer<UInt16>
  var encapsulation: Encapsulation
  /// The number that the server is counted and scheduled by, and that templates lead to; its own but for other forms of it.
  var owner: UInt16
  /// The number that new connections get, of the form that has the present method.
  var form: UInt16
  /// What becomes of its connections once it takes no new ones.
  var draining: Draining
  private var padding: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
  private var morePadding: (UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0)

  /// Where its packets leave, as a pointer into the record.
  @inline(__always)
  static func hop(_ server: UnsafePointer<ServerRecord>) -> UnsafePointer<NextHop> {
    UnsafeRawPointer(server).assumingMemoryBound(to: NextHop.self)
  }
}

extension ServerRecord {
  /// - Parameters:
  ///   - service: the one it belongs to; nil for the record that is nobody's.
  ///   - locals: the service's local addresses, `Limits.localAddressCapacity` of them.
  ///   - paths: what workers know of the paths to servers.
  ///   - settings: those in force.
  init(
    _ server: SnapshotDescription.Server, of service: SnapshotDescription.Service?,
    locals: UnsafePointer<LocalAddress>, paths: PathMTUs, settings: IPVSSettings
  ) {
    self.locals = locals
    encapsulation = server.encapsulation
    let room = server.encapsulation.room(mtu: Int(server.nextHop.mtu), isIPv6: server.address.family == .ipv6)
    tunnelRoom = server.encapsulation == .ipip ? UInt16(clamping: room) : 0
    tunnelFragmentMask = settings.honoursDontFragment ? IPv4.dontFragment.bigEndian : 0
    pathRoom = paths.room(ofServer: server.number)
    isIPv6 = server.address.family == .ipv6
    hop = server.nextHop
    (addressHigh, addressLow) = server.address.words
    port = server.port
    method = server.method
    isAvailable = server.isAvailable
    isReady =
      (server.isAvailable || server.draining == .going) && server.draining != .over
      && server.nextHop.state == .resolved
    isQuiescent = server.weight == 0
    isForgotten = server.isForgotten
    owner = server.owner
    form = server.form
    draining = server.draining
    self.service = server.service
    endpoint = server.endpoint
    (virtualHigh, virtualLow) = service?.address.words ?? (0, 0)
    virtualPort = service?.port ?? 0
    (tunnelSourceHigh, tunnelSourceLow) = server.tunnelSource?.words ?? (0, 0)
    upperThreshold = server.upperThreshold
    lowerThreshold = server.lowerThreshold

    addressBytes = UInt32(truncatingIfNeeded: addressLow).bigEndian
    virtualBytes = UInt32(truncatingIfNeeded: virtualLow).bigEndian
    tunnelSourceBytes = UInt32(truncatingIfNeeded: tunnelSourceLow).bigEndian
    portBytes = port.bigEndian
    virtualPortBytes = virtualPort.bigEndian

    let own = (addressHigh, addressLow, port)
    let virtual = (virtualHigh, virtualLow, virtualPort)
    requestDelta = ServerRecord.delta(from: virtual, to: own, withPorts: true)
    replyDelta = ServerRecord.delta(from: own, to: virtual, withPorts: true)
    requestHeaderDelta = ServerRecord.oneHopLess(ServerRecord.delta(from: virtual, to: own, withPorts: false))
    replyHeaderDelta = ServerRecord.oneHopLess(ServerRecord.delta(from: own, to: virtual, withPorts: false))
    requestStep = ChecksumDelta.step(of: requestDelta)
    replyStep = ChecksumDelta.step(of: replyDelta)
    requestHeaderStep = ChecksumDelta.headerStep(of: requestHeaderDelta)
    replyHeaderStep = ChecksumDelta.headerStep(of: replyHeaderDelta)
    var sum = Checksum()
    sum.add(UInt64(tunnelSourceBytes))
    sum.add(UInt64(addressBytes))
    tunnelSum = sum.folded
  }

  /// What replacing one end by another changes; IPv4 addresses in the low half of the second word. Never 0, so that
  /// `correct` needs no case for it: 0xffff changes nothing either.
  private static func delta(
    from old: (UInt64, UInt64, UInt16), to new: (UInt64, UInt64, UInt16), withPorts: Bool
  ) -> UInt16 {
    var delta = ChecksumDelta()
    delta.replace((old.0.bigEndian, old.1.bigEndian), with: (new.0.bigEndian, new.1.bigEndian))
    if withPorts { delta.replace16(old.2.bigEndian, with: new.2.bigEndian) }
    return delta.folded == 0 ? 0xffff : delta.folded
  }

  /// TTL stands in the upper byte of its word.
  private static func oneHopLess(_ delta: UInt16) -> UInt16 {
    var sum = ChecksumDelta(folded: delta)
    sum.replace16(UInt16(0x0100).bigEndian, with: 0)
    return sum.folded
  }
}

extension IPAddress {
  /// As the dataplane keeps addresses: IPv4 in the low half of the second word.
  var words: (high: UInt64, low: UInt64) { family == .ipv6 ? (high, low) : (0, UInt64(v4)) }
}

/// What an endpoint number stands for.
struct EndpointRecord {
  enum Kind: UInt8 {
    case none
    /// A service's VIP:port; `index` is the service.
    case service
    /// A real server's address:port.
    case server
  }
  var kind: Kind
  var index: UInt16
}
