import Config
import Wire

/// A flow on its way into a capture.
struct GeneratedFlow {
  let client: Endpoint
  let service: Endpoint
  let transport: TransportProtocol
  let timeToLive: UInt8
  /// Where answers come from and go to, if they pass the director.
  var answers: (from: Endpoint, to: Endpoint)?
  private let events: [FlowScript.Event]
  private var position = 0
  private var identification: UInt16
  private let segment: Int

  private static let filler = (0..<1500).map { UInt8(truncatingIfNeeded: $0) }

  init(number: Int, of service: VirtualService, at start: UInt64, random: inout RandomNumbers) {
    guard case .address(let transport, let endpoint) = service.key else {
      preconditionFailure("a generated flow has a service with an address")
    }
    self.service = endpoint
    self.transport = transport
    client = GeneratedFlow.client(number, endpoint.address.family, &random)
    // A tunnel's outer header has to fit beside: clients see a smaller maximum there, as documented for real servers.
    let isV6 = endpoint.address.family == .ipv6
    let tunnels = service.realServers.contains { service.forwardingMethod(to: $0).isTunnelling }
    segment = 1500 - (isV6 ? 60 : 40) - (tunnels ? (isV6 ? 40 : 20) : 0)
    timeToLive = UInt8(random.within(44...62))
    identification = UInt16(truncatingIfNeeded: random.next())
    events = FlowScript(transport, start: start, segment: segment, random: RandomNumbers(seed: random.next())).events
  }

  /// A client opens some flows, each from a port of its own. Addresses are of a carrier's NAT and of documentation.
  private static func client(_ number: Int, _ family: IPAddress.Family, _ random: inout RandomNumbers) -> Endpoint {
    let host = random.below(number / 4 + 1)
    let port = UInt16(1024 + number % 64_000)
    let address =
      family == .ipv4
      ? IPAddress(v4: 0x6440_0000 + UInt32(host % 0x3f_fffe) + 1)
      : IPAddress(high: 0x2001_0db8_0000_0000 + UInt64(host % 0xffff), low: UInt64(host) + 1)
    return Endpoint(address: address, port: port)
  }

  /// When its next frame is due; nil after the last.
  var due: UInt64? { position < events.count ? events[position].time : nil }

  /// Whether the next frame is an answer.
  var isAnswering: Bool { position < events.count && events[position].isReply }

  /// The frame that opens it.
  func opening(_ network: CaptureNetwork) -> [UInt8] {
    var copy = self
    return copy.frame(events[0], network)
  }

  /// Its next frame; nil for one that does not pass the director.
  mutating func next(_ network: CaptureNetwork) -> [UInt8]? {
    let event = events[position]
    position += 1
    return event.isReply && answers == nil ? nil : frame(event, network)
  }

  private mutating func frame(_ event: FlowScript.Event, _ network: CaptureNetwork) -> [UInt8] {
    identification &+= 1
    let (from, to) = event.isReply ? answers ?? (service, client) : (client, service)
    let ethernet =
      event.isReply
      ? FrameBuilder(from: network.station(of: from.address), to: network.serverSide)
      : FrameBuilder(from: network.router, to: network.clientSide)
    let hops = event.isReply ? 64 : timeToLive
    let ip =
      from.address.family == .ipv4
      ? ethernet.ipv4(
        from: from.address, to: to.address, timeToLive: hops, identification: identification,
        fragment: IPv4.dontFragment)
      : ethernet.ipv6(from: from.address, to: to.address, hopLimit: hops)
    let payload = Array(GeneratedFlow.filler[..<min(event.payload, GeneratedFlow.filler.count)])
    if transport == .udp { return ip.udp(from: from.port, to: to.port).payload(payload).frame }
    let isSYN = event.flags & TCP.syn != 0
    let maximum = [TCP.optionMaximumSegmentSize, 4, UInt8(segment >> 8), UInt8(segment & 0xff)]
    return ip.tcp(
      from: from.port, to: to.port, flags: event.flags, sequence: event.sequence,
      acknowledgement: event.acknowledgement, window: 64_240, options: isSYN ? maximum : []
    ).payload(payload).frame
  }
}
