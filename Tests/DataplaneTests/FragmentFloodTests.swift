import Glibc
import Kernel
import Testing
import Wire

@testable import Dataplane

/// Fragments that never become datagrams, as many as anyone likes to send.
///
/// `LBD_FLOOD_FRAGMENTS` sets how many, `LBD_FUZZ_SEED` which; the seed is printed.
@Suite struct FragmentFloodTests {
  private static func setting(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

  private static func seed() -> UInt64 { setting("LBD_FUZZ_SEED") ?? UInt64.random(in: 0...UInt64(UInt32.max)) }

  private static func number(_ index: Int, in network: String) -> IPAddress {
    IPAddress("\(network).\(index >> 8 & 0xff).\(index & 0xff)")!
  }

  /// Where the flood comes from: one address, or as many as there are.
  @Test(arguments: [true, false]) func flood(isFromOne: Bool) throws {
    let count = Int(Self.setting("LBD_FLOOD_FRAGMENTS") ?? 60_000)
    let service = TestService(transport: .udp)
    let tcp = TestService()
    let director = try Director([service, tcp], connections: 65_536)
    let packet = TestPacket.request(service).with { $0.payload = .init(repeating: 5, count: 2000) }
    #expect(director.fromClient(.request(tcp)).outcome.isForwarded)
    let waiting = (0..<64).map { index in packet.with { $0.source = Self.number(index, in: "172.17") } }
    for one in waiting { _ = director.send([ReassemblyTests.fragment(of: one, 0, 1200, more: true)]) }
    let pool = director.dataplane.shared.state.fragments
    var bystanders = 0
    for first in stride(from: 0, to: count, by: 60) {
      var frames = (first..<first + 60).map { index in
        let bad = packet.with { $0.source = Self.number(isFromOne ? 1 : index, in: "192.168") }
        return ReassemblyTests.fragment(
          of: bad, index % 3 * 1200, 800, more: true, identification: UInt16(truncatingIfNeeded: index / 100))
      }
      // Somebody else's datagram, and a connection.
      let good = packet.with { $0.source = Self.number(first, in: "172.18") }
      frames += ReassemblyTests.fragments(of: good, payload: 1200)
      frames.append(TestPacket.request(tcp, TCP.ack).arriving)
      let journeys = director.send(frames)
      bystanders += journeys.suffix(2).filter(\.outcome.isForwarded).count
      #expect(pool.usedBlockCount <= FragmentPool.shardCount / 2 * Limits.fragmentBlocks)
    }
    #expect(bystanders == (count + 59) / 60 * 2, "whole datagrams and connections are as before")
    let finished = waiting.map { director.send([ReassemblyTests.fragment(of: $0, 1200, 808, more: false)])[0] }
    let survivors = finished.filter(\.outcome.isForwarded).count
    if isFromOne {
      #expect(survivors >= 48 && survivors < 64, "one sender fills its own part of the pool, and only that")
    }
    #expect(director.dataplane.statistics().outcomes[.fragmentPoolFull] ?? 0 > 0)
    director.verify()
    director.verifyEmptyAfterExpiry()
    for _ in 0..<100 where pool.usedBlockCount != 0 { _ = director.timed() }
    #expect(pool.usedBlockCount == 0 && director.dataplane.statistics().sum(.held) == 0)
  }

  /// Fragments of all kinds: nothing crashes, every frame has its outcome, and in the end all memory is free.
  @Test func randomFragments() throws {
    let count = Int(Self.setting("LBD_FUZZ_FRAMES") ?? 30_000)
    let seed = Self.seed()
    print("fragments seed \(seed), \(count) frames")
    var random = SplitMix(seed: seed)
    let director = try Director(FuzzTests.services, frameCount: 4096, clientMTU: 1300, serverMTU: 1400)
    director.settings.cutsInsideTunnels = seed & 1 == 1
    director.publish()
    let packets = FuzzTests.services.flatMap { service in
      [
        TestPacket.request(service), TestPacket.request(service, TCP.ack).with { $0.fragment = 0x4000 },
        TestPacket.reply(service),
      ].map { packet in packet.with { $0.payload = .init(repeating: 1, count: 100 << random.next(below: 5)) } }
    }
    var done = 0
    while done < count {
      let interface = random.next(below: 2)
      let frames = (0...random.next(below: 63)).map { _ -> [UInt8] in
        let packet = random.pick(packets)
        let unit = random.pick([8, 16, 400, 1200])
        let offset = random.next(below: 6) * unit + (random.next(below: 50) == 0 ? 65_000 / 8 * 8 : 0)
        let count = random.next(below: 10) == 0 ? random.next(below: 1400) : unit
        var frame = ReassemblyTests.fragment(
          of: packet, min(offset, 65_528), count, more: random.next(below: 3) != 0,
          identification: UInt16(random.next(below: 200)))
        frame.replaceSubrange(0..<6, with: (interface == 0 ? Network.outside : Network.inside).bytes)
        return frame
      }
      for (frame, journey) in zip(frames, director.send(frames, interface: interface)) {
        try #require(journey.outcome != .pending, "seed \(seed): \(frame)")
        for sent in journey.sent { try #require(FuzzTests.fault(sent.bytes) == nil, "seed \(seed): \(journey)") }
      }
      done += frames.count
      if random.next(below: 20) == 0 { director.advance(seconds: Double(random.next(below: 40))) }
      if random.next(below: 50) == 0 { director.verify() }
    }
    #expect(director.dataplane.statistics().sum(.forwarded) > UInt64(count / 50), "seed \(seed)")
    director.verifyEmptyAfterExpiry()
    for _ in 0..<100 where director.dataplane.statistics().sum(.held) != 0 { _ = director.timed() }
    #expect(director.dataplane.shared.state.fragments.usedBlockCount == 0, "seed \(seed)")
    director.verify()
  }

  /// The fragments of one datagram arrive at two workers: the one that has the last sends all of it.
  @Test func twoWorkers() throws {
    let service = TestService(method: .masquerading, transport: .udp)
    let director = try Director(service)
    let second = try MemoryPipeline(
      director.dataplane, interfaces: [Network.outside, Network.inside], worker: 1, workerCount: 2)
    director.publish()
    second.turn()
    let packet = TestPacket.request(service).with { $0.payload = .init(repeating: 5, count: 3000) }
    let fragments = ReassemblyTests.fragments(of: packet, payload: 1200)
    #expect(director.send([fragments[2], fragments[0]]).allSatisfy { $0.outcome == .fragmentHeld })
    let accepted = fragments[1].withUnsafeBytes { second.offer($0, interface: 0) }
    second.setClock(nanoseconds: director.nanoseconds)
    #expect(accepted && second.turn() == 1 && second.outcome(of: 0) == .masqueradeRequest)
    var sent: [[UInt8]] = []
    second.forEachTransmitted { sent.append(Array($0.bytes)) }
    #expect(ReassemblyTests.joined(sent)?.count == 20 + 8 + 3000)
    let statistics = director.dataplane.statistics()
    #expect(statistics.isBalanced && statistics.sum(.held) == 0 && statistics.outcomes[.masqueradeRequest] == 3)
    director.verifyEmptyAfterExpiry()
  }
}
