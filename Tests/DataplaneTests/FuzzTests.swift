import Glibc
import Testing
import Wire

@testable import Dataplane

/// Bent frames through the whole pipeline: no crash, one outcome each, everything accounted for, nothing leaked, and
/// whatever is forwarded is well-formed.
///
/// `LBD_FUZZ_FRAMES` sets how many frames, `LBD_FUZZ_SEED` which, `LBD_FUZZ_SECONDS` how long that is repeated with the
/// seeds that follow (0: once); seeds are printed.
@Suite struct FuzzTests {
  static let services: [TestService] = [IPAddress.Family.ipv4, .ipv6].flatMap { family in
    [TransportProtocol.tcp, .udp].flatMap { services(family, $0) }
  }

  private static func services(_ family: IPAddress.Family, _ transport: TransportProtocol) -> [TestService] {
    let other: IPAddress.Family = family == .ipv4 ? .ipv6 : .ipv4
    return [
      TestService(family: family, transport: transport, port: 80, weights: [1, 2], scheduler: .weightedRoundRobin),
      TestService(method: .masquerading, family: family, transport: transport, port: 81, weights: [1, 1]),
      TestService(method: .tunnelling, family: family, transport: transport, port: 82),
      TestService(method: .fullNAT, family: family, transport: transport, port: 83, weights: [1, 1]),
      TestService(
        method: .tunnelling, family: family, serverFamily: other, transport: transport, port: 84,
        scheduler: .sourceHashing, encapsulation: .gue(port: 6080, hasChecksum: true)),
      TestService(method: .masquerading, family: family, transport: transport, port: 85, weights: [0]),
      TestService(
        method: .fullNAT, family: family, transport: transport, port: 86, scheduler: .leastConnection,
        localPorts: 9000...9003, upperThreshold: 5),
      TestService(
        method: .fullNAT, family: family, serverFamily: other, transport: transport, port: 87, localPorts: 9000...9003,
        conveyance: transport == .tcp ? .option : .none),
      TestService(
        method: .fullNAT, family: family, transport: transport, port: 88, localPorts: 9000...9003,
        conveyance: transport == .tcp ? .proxyV1 : .none),
    ]
  }

  /// Good frames, with the interface they arrive by.
  static func corpus() -> [(frame: [UInt8], interface: Int)] {
    var frames: [(frame: [UInt8], interface: Int)] = []
    for service in services {
      for (number, count) in [0, 3, 600, 1400].enumerated() {
        for flags in [TCP.syn, TCP.ack, TCP.fin | TCP.ack, TCP.rst] {
          var request = TestPacket.request(service, port: UInt16(40_000 + number), flags)
          request.payload = .init(repeating: 0x42, count: count)
          request.hasChecksum = flags != TCP.rst
          request.fragment = flags == TCP.ack ? 0x4000 : 0
          request.timeToLive = flags == TCP.rst ? 2 : 64
          if number == 2 {
            request.options = [7, 7, 4, 0, 0, 0, 0, 1]
            request.extensions = [(0, [0, 1, 4, 0, 0, 0, 0]), (60, [0, 1, 4, 0, 0, 0, 0])]
          }
          frames.append((request.arriving, 0))
          let local = service.method == .fullNAT ? Network.local(service.serverFamily ?? service.family) : nil
          var reply = TestPacket.reply(
            service, to: local, port: UInt16(local == nil ? 40_000 : 9000) + UInt16(number), flags)
          reply.payload = request.payload
          frames.append((reply.frame(from: Network.station(0), to: Network.inside), 1))
        }
      }
      let large = TestPacket.request(service).with { $0.payload = .init(repeating: 1, count: 1100) }
      for piece in ReassemblyTests.fragments(of: large, payload: 400) { frames.append((piece, 0)) }
    }
    return frames
  }

  private static func put(_ number: Int, _ frame: inout [UInt8], at offset: Int) {
    guard offset + 1 < frame.count else { return }
    frame[offset] = UInt8(truncatingIfNeeded: number >> 8)
    frame[offset + 1] = UInt8(truncatingIfNeeded: number)
  }

  /// Makes the IPv4 header checksum right again, so that the rest is looked at.
  private static func repair(_ frame: inout [UInt8], at offset: Int) {
    guard frame.count > offset, frame[offset] >> 4 == 4 else { return }
    let count = Int(frame[offset] & 15) * 4
    guard count >= 20, offset + count <= frame.count else { return }
    put(0, &frame, at: offset + 10)
    var sum = 0
    for index in stride(from: offset, to: offset + count, by: 2) {
      sum += Int(frame[index]) << 8 | Int(frame[index + 1])
    }
    while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
    put(~sum & 0xffff, &frame, at: offset + 10)
  }

  private static let lengths = [0, 1, 7, 8, 19, 20, 21, 28, 39, 40, 41, 48, 60, 1280, 1500, 0x7fff, 0xffff]

  static func bend(_ frame: inout [UInt8], _ random: inout SplitMix) {
    guard frame.count >= 54 || frame.count >= 34 && frame[12] == 8 else { return }
    var network = 14
    let isV4 = frame[12] == 8
    switch random.next(below: 12) {
    case 0: frame.removeLast(random.next(below: frame.count))
    case 1: frame += (0..<random.next(below: 300)).map { UInt8(truncatingIfNeeded: $0) }
    case 2: put(random.pick(lengths), &frame, at: isV4 ? 16 : 18)
    case 3: frame[14] = UInt8(truncatingIfNeeded: random.next())
    case 4: put(Int(random.next() & 0xffff), &frame, at: isV4 ? 20 : 56)
    case 5:
      for _ in 0...random.next(below: 3) {
        frame.insert(contentsOf: random.pick([[0x81, 0, 0, 5], [0x88, 0xa8, 0, 9]]), at: 12)
        network += 4
      }
    case 6 where isV4:
      let words = 1 + random.next(below: 10)
      let options = (0..<words * 4).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      frame.insert(contentsOf: options, at: 34)
      frame[14] = UInt8(0x45 + words)
      put(frame.count - 14, &frame, at: 16)
    case 6 where !isV4, 7 where !isV4:
      for _ in 0...random.next(below: 10) {
        let length = random.pick([0, 0, 0, 1, 2, 40, 255])
        let body =
          [frame[20], UInt8(length)] + (0..<6).map { _ in UInt8(truncatingIfNeeded: random.next() & random.next()) }
        frame.insert(contentsOf: body + [UInt8](repeating: 0, count: min(length, 3) * 8), at: 54)
        frame[20] = random.pick([0, 43, 44, 60, 51])
      }
      put(frame.count - 54 + random.pick([0, 0, 0, 0, -8, 8]), &frame, at: 18)
    case 8:
      frame =
        Array(frame.prefix(14)) + (0..<random.next(below: 200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    case 9: put(random.pick(lengths), &frame, at: isV4 ? 38 : 58)
    default:
      for _ in 0...random.next(below: 8) {
        let bit = random.next(below: (frame.count - 12) * 8)
        frame[12 + bit / 8] ^= 1 << UInt8(bit % 8)
      }
    }
    if frame.isEmpty { frame = [0] }
    if random.next(below: 2) == 0 { repair(&frame, at: network) }
  }

  /// Nil when the frame is one that a receiver takes.
  static func fault(_ frame: [UInt8]) -> String? {
    guard frame.count >= 34 else { return "short" }
    if frame[12] == 8, frame[13] == 0 {
      let header = Int(frame[14] & 15) * 4
      guard Int(frame[16]) << 8 | Int(frame[17]) == frame.count - 14 else { return "IPv4 length" }
      let sum = frame[14..<14 + header].withUnsafeBytes { bytes in
        var sum = Checksum()
        sum.add(bytes)
        return sum.folded
      }
      return sum == 0xffff ? nil : "IPv4 header checksum"
    }
    guard frame[12] == 0x86, frame[13] == 0xdd else { return "type" }
    return Int(frame[18]) << 8 | Int(frame[19]) == frame.count - 54 ? nil : "IPv6 length"
  }

  private static func setting(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

  @Test func bentFrames() throws {
    let count = Int(Self.setting("LBD_FUZZ_FRAMES") ?? 50_000)
    var seed = Self.setting("LBD_FUZZ_SEED") ?? UInt64.random(in: 0...UInt64(UInt32.max))
    let end = time(nil) + Int(clamping: Self.setting("LBD_FUZZ_SECONDS") ?? 0)
    repeat {
      print("fuzz seed \(seed), \(count) frames\(FrameFence.isThere ? ", fenced" : "")")
      try bend(count, seed: seed)
      seed &+= 1
    } while time(nil) < end
  }

  @Test(.enabled(if: FrameFence.isThere, "without AddressSanitizer there are no fences"))
  func fencesStandBehindFrames() throws {
    let pipeline = try Director(Self.services).pipeline
    let bytes = [UInt8](repeating: 0, count: 64)
    let frame = try #require(bytes.withUnsafeBytes { pipeline.stage($0) })
    FrameFence.close(behind: frame, in: pipeline, hasProxyHeaders: true)
    #expect(!FrameFence.isClosed(frame, at: 63, in: pipeline) && FrameFence.isClosed(frame, at: 64, in: pipeline))
    FrameFence.open(pipeline)
    #expect(!FrameFence.isClosed(frame, at: 64, in: pipeline))
  }

  @Test(arguments: [IPAddress.Family.ipv4, .ipv6]) func fragmentsAreKnown(family: IPAddress.Family) {
    let packet = TestPacket.request(TestService(family: family, transport: .udp))
    let isFragment: ([UInt8]) -> Bool = { $0.withUnsafeBytes { FrameFence.isFragment($0) } }
    #expect(!isFragment(packet.arriving))
    for (offset, more) in [(0, true), (8, true), (8, false)] {
      #expect(isFragment(ReassemblyTests.fragment(of: packet, offset, 8, more: more)))
    }
  }

  @Test(arguments: [IPAddress.Family.ipv4, .ipv6]) func emptySegmentsAreKnown(family: IPAddress.Family) {
    let end: ([UInt8]) -> Int? = { $0.withUnsafeBytes { FrameFence.endOfEmptySegment($0) } }
    let ack = TestPacket.request(TestService(family: family), TCP.ack).with { $0.segmentOptions = [1, 1, 1, 1] }
    #expect(end(ack.arriving) == ack.arriving.count)
    #expect(end(ack.arriving + [0, 0, 0]) == ack.arriving.count, "padding is no payload")
    let long = ack.with {
      $0.options = [1, 1, 1, 1]
      $0.extensions = [(0, [0, 1, 4, 0, 0, 0, 0])]
    }
    #expect(end(long.arriving) == long.arriving.count)
    #expect(end(ack.with { $0.payload = [1] }.arriving) == nil)
    #expect(end(TestPacket.request(TestService(family: family, transport: .udp)).arriving) == nil)
    #expect(end(Array(ack.arriving.prefix(40))) == nil)
  }

  private func bend(_ count: Int, seed: UInt64) throws {
    var random = SplitMix(seed: seed)
    let corpus = Self.corpus()
    let director = try Director(Self.services, clientMTU: 1300, serverMTU: 1400)
    director.settings.cutsInsideTunnels = seed & 1 == 1
    director.publish()
    var done = 0
    while done < count {
      let interface = random.next(below: 2)
      var batch: [[UInt8]] = []
      for _ in 0...random.next(below: 63) {
        var (frame, arrival) = random.pick(corpus)
        if arrival != interface {
          frame.replaceSubrange(0..<6, with: (interface == 0 ? Network.outside : Network.inside).bytes)
        }
        arrival = random.next(below: 4)
        for _ in 0..<arrival { Self.bend(&frame, &random) }
        batch.append(Array(frame.prefix(director.pipeline.packetByteCountLimit)))
      }
      let journeys = director.send(batch, interface: interface)
      for (frame, journey) in zip(batch, journeys) {
        let what = "seed \(seed): \(journey) of \(frame)"
        try #require(journey.outcome != .pending, "\(what)")
        try #require(!journey.outcome.isForwarded || !journey.sent.isEmpty, "\(what)")
        try #require(!journey.outcome.isPassed || journey.sent.isEmpty, "\(what)")
        for sent in journey.sent { try #require(Self.fault(sent.bytes) == nil, "\(what)") }
      }
      done += batch.count
      if random.next(below: 20) == 0 { director.advance(seconds: Double(random.next(below: 100))) }
      if random.next(below: 100) == 0 { director.verify() }
    }
    let statistics = director.dataplane.statistics()
    #expect(statistics.sum(.forwarded) > UInt64(count / 20), "\(statistics)")
    director.verifyEmptyAfterExpiry()
  }
}
