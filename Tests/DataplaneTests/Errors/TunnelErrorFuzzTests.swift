import Testing
import Wire

@testable import Dataplane

/// Errors that quote bent tunnel packets: nothing outside the quote is read, whatever is sent is a well-formed error to the
/// client, and what is learned keeps its bounds.
///
/// `LBD_FUZZ_FRAMES` sets how many frames, `LBD_FUZZ_SEED` which; the seed is printed.
@Suite struct TunnelErrorFuzzTests {
  private static let families: [(inner: IPAddress.Family, outer: IPAddress.Family)] = [
    (.ipv4, .ipv4), (.ipv6, .ipv4), (.ipv4, .ipv6), (.ipv6, .ipv6),
  ]
  static let services = TunnelErrorTests.encapsulations.flatMap { encapsulation in
    families.map { family in
      var service = TestService(method: .tunnelling, family: family.inner, serverFamily: family.outer)
      service.encapsulation = encapsulation
      return service
    }
  }

  /// Any bytes: what is found lies within them.
  @Test func anyBytes() {
    let seed = ErrorFuzzTests.setting("LBD_FUZZ_SEED") ?? UInt64.random(in: 0...UInt64(UInt32.max))
    print("fuzz seed \(seed)")
    var random = SplitMix(seed: seed)
    var found = 0
    for round in 0..<40_000 {
      let count = random.next(below: 120)
      let isIPv6 = round % 2 == 0
      let memory = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1), alignment: 1)
      defer { memory.deallocate() }
      for index in 0..<count { memory.storeByte(UInt8(truncatingIfNeeded: random.next()), at: index) }
      // Mostly something that could be a tunnel.
      if count > 40, random.next(below: 8) != 0 {
        let protocols: [UInt8] = [4, 41, 47, 17, 44]
        memory.storeByte(isIPv6 ? 0x60 : 0x45 + UInt8(random.next(below: 3)), at: 0)
        memory.storeByte(random.pick(protocols), at: isIPv6 ? 6 : 9)
        if !isIPv6 { memory.storeBigEndian16(0x4000, at: 6) }
        let next = isIPv6 ? 40 : Int(memory.load(as: UInt8.self) & 15) * 4
        if count > next + 16, random.next(below: 2) == 0 {
          memory.storeBigEndian32(random.pick([0x0800, 0x8000_0800, 0x86dd, 0x2000_0800]), at: next)
          memory.storeBigEndian32(UInt32(random.next(below: 32)) << 24 | 4 << 16, at: next + 8)
        }
      }
      guard let tunnel = QuotedTunnel(memory, byteCount: count, isIPv6: isIPv6) else { continue }
      found += 1
      #expect(tunnel.byteCount >= 0 && tunnel.inner >= memory, "seed \(seed), round \(round)")
      #expect(tunnel.inner + tunnel.byteCount == memory + count, "seed \(seed), round \(round)")
    }
    #expect(found > 1000)
  }

  @Test(arguments: services)
  func bentErrors(service: TestService) throws {
    let count = Int(ErrorFuzzTests.setting("LBD_FUZZ_FRAMES") ?? 32_000) / Self.services.count
    let seed = ErrorFuzzTests.setting("LBD_FUZZ_SEED") ?? UInt64.random(in: 0...UInt64(UInt32.max))
    print("fuzz seed \(seed), \(count) frames")
    var random = SplitMix(seed: seed)
    let director = try Director(service)
    let large = TestPacket.request(service, TCP.ack).with {
      $0.payload = .init(repeating: 9, count: 600)
      $0.fragment = 0x4000
    }
    #expect(director.fromClient(.request(service)).outcome == .tunnel)
    let tunnelled = Array(director.fromClient(large).sent[0].bytes.dropFirst(14))
    let outer = service.serverFamily ?? service.family
    let router = outer == .ipv4 ? TunnelErrorTests.router.ipv4 : TunnelErrorTests.router.ipv6
    let types: [(UInt8, UInt8)] = outer == .ipv4 ? [(3, 4), (3, 1), (11, 0)] : [(2, 0), (1, 3), (3, 0)]
    for round in 0..<count {
      let (type, code) = random.pick(types)
      let quoted = Array(tunnelled.prefix(20 + random.next(below: tunnelled.count - 19)))
      var frame = TunnelErrorTests.error(
        type: type, code: code, rest: UInt32(random.next(below: 2000)), quoting: quoted, from: router)
      if round % 8 != 0 { ErrorFuzzTests.bend(&frame, &random) }
      let journey = director.send([frame], interface: 1)[0]
      let what = "seed \(seed): \(journey) of \(frame)"
      for sent in journey.sent {
        try #require(FuzzTests.fault(sent.bytes) == nil, "\(what)")
        try #require(sent.interface == 0 && sent.bytes[23] == IPProtocol.icmpv4, "\(what)")
        try #require(Array(sent.bytes[30..<34]) == Network.client(.ipv4).bytes, "\(what)")
      }
      try #require(journey.outcome.isForwarded == !journey.sent.isEmpty, "\(what)")
      director.advance(seconds: 1)
      guard round % 64 == 0 else { continue }
      // Whatever has been said, this much goes through, in one piece or more.
      let small = TestPacket.request(service, TCP.ack).with { $0.payload = .init(repeating: 9, count: 440) }
      try #require(director.fromClient(small).outcome == .tunnel, "\(what)")
    }
    director.verifyEmptyAfterExpiry()
  }
}
