import CShims
import Glibc
import Testing
import Wire

@testable import Dataplane

/// What is foreseen of a frame is what becomes of it, to the byte; and foreseeing changes nothing.
///
/// `LBD_WHY_PACKETS` sets how many packets, `LBD_WHY_SEED` which; the seed is printed.
@Suite struct ProbeTests {
  static let interfaces = [Network.outside, Network.inside]

  /// All that a question must not change, as it lies in memory.
  private static func state(_ director: Director) -> [[UInt8]] {
    let memory = director.dataplane.shared
    let sizes = memory.layout.byteCounts
    let blocks = memory.blocks
    let worker = director.dataplane.workers[0]
    return [
      (blocks.tables, sizes.tables), (blocks.counts, sizes.counts), (blocks.paths, sizes.paths),
      (blocks.fragments, FragmentPool.shardCount * FragmentShard.byteCount), (blocks.calls, sizes.calls),
      (blocks.helpers, sizes.helpers), (UnsafeMutableRawPointer(worker.outcomes), 1024),
      (UnsafeMutableRawPointer(worker.servers), 4096 * MemoryLayout<ServerCounters>.stride),
    ].map { Array(UnsafeRawBufferPointer(start: $0.0, count: $0.1)) }
  }

  static func foreseen(_ director: Director, _ frame: [UInt8], interface: Int) throws -> (Journey, PacketJourney) {
    let probe = ProbeFrame(frame, interface: interface, nanoseconds: director.nanoseconds)
    let journey = try director.dataplane.foresee([probe], interfaces: interfaces)[0]
    return (Journey(journey.outcome, journey.sent.map { Sent(interface: $0.interface, bytes: $0.bytes) }), journey)
  }

  /// Now and then the operator changes something.
  private static func edit(_ director: Director, _ random: inout SplitMix) {
    let service = random.next(below: director.services.count)
    let server = random.next(below: director.services[service].weights.count)
    switch random.next(below: 4) {
    case 0: director.services[service].removed.formSymmetricDifference([server])
    case 1: director.serverMTU = random.pick([1500, 1500, 1300])
    case 2:
      director.settings.dropPacket = random.pick([.off, .always])
      director.settings.dropRate = 5
    default: director.services[service].weights[server] = Int32(random.next(below: 4))
    }
    director.publish()
  }

  @Test func tenThousandPacketsComeOutAsForeseen() throws {
    let seed = ErrorFuzzTests.setting("LBD_WHY_SEED") ?? UInt64.random(in: 0 ... .max)
    print("probe seed \(seed)")
    let count = Int(ErrorFuzzTests.setting("LBD_WHY_PACKETS") ?? 10_000)
    var seen: [Outcome: Int] = [:]
    for (services, share) in [(ProbeTraffic.services, count - count / 5), (ProbeTraffic.markedServices, count / 5)] {
      guard try foresee(share, services, seed: seed, &seen) else { return }
    }
    print(seen.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value)" }.joined(separator: ", "))
    if count >= 10_000 { #expect(seen.filter { $0.value >= 10 }.count >= 15) }
  }

  /// - Returns: false when a packet came out otherwise.
  private func foresee(
    _ count: Int, _ services: [TestService], seed: UInt64, _ seen: inout [Outcome: Int]
  ) throws -> Bool {
    var random = SplitMix(seed: seed)
    let director = try Director(services, connections: 1024, frameCount: 512)
    var traffic = ProbeTraffic(services, SplitMix(seed: ~seed))
    for number in 0..<count {
      director.advance(seconds: random.pick([0, 0, 0, 0.001, 0.3, 3, number % 50 == 0 ? 200 : 0]))
      if random.next(below: 40) == 0 { Self.edit(director, &random) }
      let (frame, interface) = traffic.next()
      let isCompared = number % 200 == 0
      let before = isCompared ? Self.state(director) : []
      let (foreseen, _) = try Self.foreseen(director, frame, interface: interface)
      if isCompared { #expect(before == Self.state(director), "packet \(number): the question changed something") }
      let happened = director.send([frame], interface: interface)[0]
      traffic.note(happened.sent)
      seen[happened.outcome, default: 0] += 1
      guard foreseen == happened else {
        Issue.record("seed \(seed), packet \(number): \(PacketDescription.frame(frame))\n\(foreseen)\n\(happened)")
        return false
      }
    }
    director.verify()
    return true
  }

  /// A row says what the packet is and what is to be seen of it.
  private struct Row: CustomTestStringConvertible, Sendable {
    var name: String
    var service: TestService
    /// Sent before, and not only asked about.
    var earlier: [UInt8] = []
    var flags = TCP.syn
    var port: UInt16?
    var check: @Sendable (PacketJourney) -> Bool
    var testDescription: String { name }
  }

  private static let rows: [Row] = [
    Row(name: "new connection, rr", service: TestService(weights: [1, 1])) {
      $0.kind == .request && $0.isOpening && $0.service == 0 && $0.entry == nil && $0.scheduling?.name == "rr"
        && $0.scheduling?.candidates.count == 2 && $0.scheduling?.stateBefore == 0 && $0.scheduling?.stateAfter != 0
        && $0.way == .ready && $0.method == .directRouting && $0.mark == nil
    },
    Row(name: "known connection", service: TestService(method: .masquerading), earlier: [TCP.syn], flags: TCP.ack) {
      !$0.isOpening && $0.entry?.state == "SYN_RECV" && $0.scheduling == nil && $0.server == 1
        && $0.outcome == .masqueradeRequest
    },
    Row(name: "no connection", service: TestService(), flags: TCP.ack) {
      $0.outcome == .noConnection && $0.server == nil && $0.service == 0 && $0.sent.isEmpty && $0.scheduling == nil
    },
    Row(name: "nobody's", service: TestService(), port: 9) { $0.kind == .foreign && $0.outcome == .notOurs },
    Row(name: "no server", service: TestService(weights: [0, 0])) {
      $0.outcome == .noServerAvailable && $0.scheduling?.candidates.map(\.weight) == [0, 0] && $0.sent.count == 1
    },
    Row(name: "sh", service: TestService(weights: [1, 1], scheduler: .sourceHashing)) {
      $0.scheduling?.bucketCount == 256 && $0.scheduling?.bucketServer == $0.server && $0.server != nil
    },
    Row(name: "mh", service: TestService(weights: [1, 1], scheduler: .maglevHashing)) {
      $0.scheduling?.bucketCount == 4093 && $0.scheduling?.bucketServer == $0.server && $0.server != nil
    },
    Row(name: "lblc", service: TestService(scheduler: .localityLeastConnection), earlier: [TCP.syn]) {
      $0.scheduling == nil && $0.entry != nil
    },
    Row(name: "FULLNAT", service: TestService(method: .fullNAT)) {
      $0.local?.address == Network.local(.ipv4) && $0.outcome == .fullNATRequest
    },
    Row(name: "by mark", service: marked(7), port: 90) {
      $0.mark == PacketJourney.Mark(value: 7, rules: [0]) && $0.service == 0 && $0.isOpening
    },
    Row(name: "first of a client, persistent", service: persistent) { $0.template == .made && $0.scheduling != nil },
    Row(name: "second of a client, persistent", service: persistent, earlier: [TCP.syn], port: 80) {
      $0.entry != nil && !$0.isOpening
    },
  ]

  private static var persistent: TestService {
    var service = TestService(weights: [1, 1])
    service.persistence = SnapshotDescription.Persistence(seconds: 20)
    return service
  }

  private static func marked(_ mark: UInt32) -> TestService {
    var service = TestService(method: .masquerading, port: 0, serverPort: 8080)
    service.mark = mark
    return service
  }

  @Test(arguments: rows) private func whatIsSeen(_ row: Row) throws {
    let director = try Director(row.service)
    for flags in row.earlier { _ = director.fromClient(.request(row.service, flags)) }
    var packet = TestPacket.request(row.service, row.flags)
    if let port = row.port { packet.destinationPort = port }
    let (foreseen, journey) = try Self.foreseen(director, packet.arriving, interface: 0)
    #expect(row.check(journey), "\(journey)")
    #expect(foreseen == director.fromClient(packet))
  }

  /// What has no connection goes past a service that has been deleted, to that for every port where there is one.
  @Test(arguments: [true, false]) func deletedServiceBefore(isAnyPort: Bool) throws {
    var everyPort = Self.persistent
    everyPort.port = isAnyPort ? 0 : 81
    everyPort.serverPort = 0
    let director = try Director([TestService(isActive: false), everyPort])
    let packet = TestPacket.request(director.services[0])
    let (foreseen, journey) = try Self.foreseen(director, packet.arriving, interface: 0)
    #expect(journey.service == (isAnyPort ? 1 : nil), "\(journey)")
    #expect(journey.outcome == (isAnyPort ? .directRouting : .notOurs) && journey.isOpening == isAnyPort)
    #expect(journey.template == (isAnyPort ? .made : nil) && (journey.scheduling != nil) == isAnyPort)
    #expect(foreseen == director.fromClient(packet))
  }

  /// The third packet is foreseen with what the first two would have done.
  @Test func framesOfACaptureFollowEachOther() throws {
    let service = TestService(method: .masquerading, weights: [1, 1])
    let director = try Director(service)
    let packets = [TCP.syn, TCP.ack, TCP.fin | TCP.ack].map { TestPacket.request(service, $0).arriving }
    let frames = packets.enumerated().map {
      ProbeFrame($1, interface: 0, nanoseconds: director.nanoseconds + UInt64($0) * 1_000_000)
    }
    let journeys = try director.dataplane.foresee(frames, interfaces: Self.interfaces)
    #expect(journeys.map(\.isOpening) == [true, false, false])
    #expect(journeys.map { $0.entry?.state } == [nil, "SYN_RECV", "ESTABLISHED"])
    #expect(director.connectionCount == 0)
    let happened = packets.map { director.send([$0])[0] }
    #expect(journeys.map(\.outcome) == happened.map(\.outcome))
    #expect(journeys.map { $0.sent.map(\.bytes) } == happened.map { $0.sent.map(\.bytes) })
  }

  @Test func workersThatAreNotThere() throws {
    let director = try Director(TestService())
    let frame = ProbeFrame(TestPacket.request(TestService()).arriving, interface: 0, nanoseconds: 1)
    #expect(throws: Probe.Failure.self) {
      try director.dataplane.foresee([frame], interfaces: Self.interfaces, worker: 1)
    }
    let long = ProbeFrame([UInt8](repeating: 0, count: 5000), interface: 0, nanoseconds: 1)
    #expect(throws: Probe.Failure.self) { try director.dataplane.foresee([long], interfaces: Self.interfaces) }
  }
}
