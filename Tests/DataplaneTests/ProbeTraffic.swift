import Scheduler
import Wire

@testable import Dataplane

/// Random traffic for a director with every kind of service: clients that open and go on, servers that answer what they were
/// sent, routers that complain about it, fragments, bent frames.
struct ProbeTraffic {
  static let services: [TestService] = FuzzTests.services + further(.ipv4) + further(.ipv6)
  /// Where all that clients send carries a mark.
  static let markedServices = services + [marked(.ipv4), marked(.ipv6)]

  private static func further(_ family: IPAddress.Family) -> [TestService] {
    let masks: (UInt64, UInt64) = family == .ipv4 ? (0, 0xffff_ff00) : (.max, 0)
    let schedulers = Scheduler.allCases.filter { $0 != .nobody }
    var services = schedulers.enumerated().map { number, scheduler in
      TestService(
        method: number % 2 == 0 ? .masquerading : .directRouting, family: family, port: UInt16(100 + number),
        weights: [1, 3, 2], scheduler: scheduler, upperThreshold: number % 3 == 0 ? 40 : 0)
    }
    for (number, method) in [Forwarding.directRouting, .masquerading, .tunnelling, .fullNAT].enumerated() {
      var service = TestService(
        method: method, family: family, transport: number % 2 == 0 ? .tcp : .udp, port: UInt16(200 + number),
        weights: [1, 1], scheduler: .weightedLeastConnection)
      service.persistence = SnapshotDescription.Persistence(
        seconds: 20, maskHigh: masks.0, maskLow: masks.1)
      service.isOnePacket = number == 1
      services.append(service)
    }
    return services
  }

  private static func marked(_ family: IPAddress.Family) -> TestService {
    var marked = TestService(method: .masquerading, family: family, port: 0, serverPort: 8300, weights: [1, 1])
    marked.mark = 7
    return marked
  }

  private let services: [TestService]
  private var random: SplitMix
  private let corpus = FuzzTests.corpus()
  /// Frames that were sent to servers and clients lately.
  private var sent: [(frame: [UInt8], interface: Int)] = []

  init(_ services: [TestService], _ random: SplitMix) {
    self.services = services
    self.random = random
  }

  mutating func note(_ frames: [Sent]) {
    for frame in frames where frame.bytes.count < 1500 {
      if sent.count < 256 {
        sent.append((frame.bytes, frame.interface))
      } else {
        sent[random.next(below: sent.count)] = (frame.bytes, frame.interface)
      }
    }
  }

  mutating func next() -> (frame: [UInt8], interface: Int) {
    switch random.next(below: 16) {
    case 0, 1:
      var (frame, interface) = random.pick(corpus)
      FuzzTests.bend(&frame, &random)
      return (frame, interface)
    case 2: return random.pick(corpus)
    case 3: return fragment()
    case 4, 5, 6, 7: return answer() ?? request()
    case 8: return complaint() ?? request()
    default: return request()
    }
  }

  private mutating func packet() -> TestPacket {
    let flags = random.pick([TCP.syn, TCP.syn, TCP.ack, TCP.ack, TCP.ack, TCP.fin | TCP.ack, TCP.rst])
    var packet = TestPacket.request(
      random.pick(services), port: UInt16(40_000 + random.next(below: 24)), flags)
    if packet.destinationPort == 0 { packet.destinationPort = UInt16(300 + random.next(below: 3)) }
    packet.payload = .init(repeating: 0x42, count: random.pick([0, 0, 1, 100, 1400]))
    packet.timeToLive = random.pick([64, 64, 64, 2, 1])
    packet.fragment = random.pick([0, 0x4000])
    return packet
  }

  private mutating func request() -> (frame: [UInt8], interface: Int) { (packet().arriving, 0) }

  private mutating func fragment() -> (frame: [UInt8], interface: Int) {
    var packet = packet()
    packet.payload = .init(repeating: 1, count: 700)
    packet.fragment = 0
    packet.timeToLive = 64
    return (random.pick(ReassemblyTests.fragments(of: packet, payload: 400)), 0)
  }

  /// Addresses and ports of a plain TCP or UDP frame.
  private static func ends(_ frame: [UInt8]) -> TestPacket? {
    let isV4 = frame[12] == 8 && frame[14] == 0x45
    guard isV4 || frame[12] == 0x86, frame.count >= (isV4 ? 54 : 62) else { return nil }
    let (place, count, start) = isV4 ? (26, 4, 34) : (22, 16, 54)
    guard let transport = TransportProtocol(rawValue: frame[isV4 ? 23 : 20]), transport != .sctp,
      let source = IPAddress(bytes: frame[place..<place + count]),
      let destination = IPAddress(bytes: frame[place + count..<place + 2 * count])
    else { return nil }
    func port(_ offset: Int) -> UInt16 { UInt16(frame[start + offset]) << 8 | UInt16(frame[start + offset + 1]) }
    return TestPacket(
      source: source, destination: destination, sourcePort: port(0), destinationPort: port(2), transport: transport)
  }

  /// A server's answer to something it was sent.
  private mutating func answer() -> (frame: [UInt8], interface: Int)? {
    guard !sent.isEmpty else { return nil }
    let (frame, interface) = random.pick(sent)
    guard interface == 1, let question = ProbeTraffic.ends(frame) else { return nil }
    var packet = question
    (packet.source, packet.destination) = (question.destination, question.source)
    (packet.sourcePort, packet.destinationPort) = (question.destinationPort, question.sourcePort)
    packet.flags = random.pick([TCP.syn | TCP.ack, TCP.ack, TCP.fin | TCP.ack, TCP.rst])
    packet.timeToLive = random.pick([64, 64, 64, 1])
    packet.payload = .init(repeating: 3, count: random.pick([0, 200, 1400]))
    return (packet.frame(from: Network.station(0), to: Network.inside), 1)
  }

  /// An ICMP error about something that was sent.
  private mutating func complaint() -> (frame: [UInt8], interface: Int)? {
    guard !sent.isEmpty else { return nil }
    let (frame, interface) = random.pick(sent)
    guard let about = ProbeTraffic.ends(frame) else { return nil }
    let isV4 = about.source.family == .ipv4
    let quote = Array(frame[14...].prefix(random.pick([28, 48, 68, 200])))
    let (from, to) = interface == 1 ? (Network.station(0), Network.inside) : (Network.router, Network.outside)
    let type: UInt8 = isV4 ? random.pick([3, 3, 11]) : random.pick([1, 2, 3])
    let message = FrameBuilder(from: from, to: to).ip(from: about.destination, to: about.source)
      .icmp(type: type, code: isV4 && type == 3 ? random.pick([1, 4]) : 0, rest: 1200).payload(quote)
    return (message.frame, interface)
  }
}
