import Glibc
import Testing
import Wire

@testable import Dataplane

/// What floods cost in memory, and in steps.
///
/// Each runs in a process of its own, whose resident memory nobody else changes: what is there at the beginning, after the
/// first packets have been taken, is compared with what is there at the end. `LBD_FUZZ_SEED` sets what is sent; whatever fails
/// names the seed.
@Suite(.serialized) struct FloodMemoryTests {
  private static let million = FloodTests.million

  /// Bytes of memory that this process has.
  private static func residentByteCount() throws -> Int {
    let file = try #require(fopen("/proc/self/statm", "r"))
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    try #require(fgets(&line, Int32(line.count), file) != nil)
    let words = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self).split(
      separator: " ")
    return try #require(Int(words[1])) * Int(sysconf(Int32(_SC_PAGESIZE)))
  }

  private static func seed() -> UInt64 {
    getenv("LBD_FUZZ_SEED").flatMap { UInt64(String(cString: $0)) } ?? UInt64.random(in: 0...UInt64(UInt32.max))
  }

  /// Runs a flood and looks how much memory it has taken.
  private static func expectGrowth(atMost limit: Int, _ name: String, _ flood: () throws -> Void) throws {
    let before = try residentByteCount()
    try flood()
    let growth = try residentByteCount() - before
    #expect(growth <= limit, "\(name): \(growth) bytes more")
  }

  /// What the process itself may take meanwhile.
  private static let slack = 4 << 20

  // MARK: - What takes room in tables

  @Test func halfOpenConnections() async {
    await #expect(processExitsWith: .success) {
      let flood = try Flood(TestService(weights: [1, 1]), connections: Int(FloodMemoryTests.million))
      _ = flood.send(from: 9_000_000..<9_000_064)
      let table = flood.director.dataplane.shared.state.tableV4.lineCount * 64
      try FloodMemoryTests.expectGrowth(atMost: table + FloodMemoryTests.slack, "half-open connections") {
        #expect(flood.send(from: 0..<FloodMemoryTests.million) == [.directRouting: Int(FloodMemoryTests.million)])
      }
      // A second million finds the room of the first.
      flood.director.advance(seconds: 121)
      flood.director.sweep()
      try FloodMemoryTests.expectGrowth(atMost: FloodMemoryTests.slack, "another million") {
        #expect(
          flood.send(from: FloodMemoryTests.million..<2 * FloodMemoryTests.million) == [
            .directRouting: Int(FloodMemoryTests.million)
          ])
      }
    }
  }

  @Test func templates() async {
    await #expect(processExitsWith: .success) {
      let service = TestService(
        transport: .udp, weights: [1, 1], persistence: .init(seconds: 300, maskHigh: 0, maskLow: 0xffff_ffff),
        isOnePacket: true)
      let flood = try Flood(service, connections: Int(FloodMemoryTests.million))
      _ = flood.send(from: 9_000_000..<9_000_064)
      let table = flood.director.dataplane.shared.state.tableWide.lineCount * 64
      try FloodMemoryTests.expectGrowth(atMost: table + FloodMemoryTests.slack, "templates") {
        #expect(flood.send(from: 0..<FloodMemoryTests.million) == [.directRouting: Int(FloodMemoryTests.million)])
      }
    }
  }

  // MARK: - What takes none

  /// Frames of one kind, each bent before it is offered.
  private struct Stream {
    let director: Director
    var random: SplitMix
    var outcomes: [Outcome: Int] = [:]

    mutating func send(
      _ count: UInt32, _ templates: [[UInt8]], bend: (UnsafeMutableRawPointer, _ template: Int, inout SplitMix) -> Void,
      each: () -> Void
    ) {
      var frames = templates
      for _ in 0..<count / 64 {
        for number in 0..<64 {
          let template = number % frames.count
          let accepted = frames[template].withUnsafeMutableBytes { bytes in
            if let base = bytes.baseAddress { bend(base, template, &random) }
            return director.pipeline.offer(UnsafeRawBufferPointer(bytes), interface: 0)
          }
          if !accepted { Issue.record("the pipeline did not take a frame") }
        }
        director.pipeline.setClock(nanoseconds: director.nanoseconds)
        director.pipeline.turn()
        for index in 0..<64 { outcomes[director.pipeline.outcome(of: index), default: 0] += 1 }
        each()
      }
    }
  }

  /// The longest chain that a fragment is looked for in.
  private static func longestChain(_ pool: FragmentPool) -> Int {
    (0..<FragmentPool.shardCount).reduce(0) { longest, index in
      let shard = pool.shard(index)
      var lengths = [UInt32: Int]()
      var number = shard.pointee.oldest
      while number != 0 {
        lengths[shard.pointee.datagrams[Int(number)].bucket, default: 0] += 1
        number = shard.pointee.datagrams[Int(number)].newer
      }
      return max(longest, lengths.values.max() ?? 0)
    }
  }

  /// First, middle and last pieces, whose others never come, of both families.
  private static func fragmentTemplates() -> [[UInt8]] {
    [IPAddress.Family.ipv4, .ipv6].flatMap { family in
      let packet = TestPacket.request(TestService(family: family, transport: .udp)).with {
        $0.payload = .init(repeating: 5, count: 2400)
      }
      return [(0, true), (1600, true), (2400, false)].map { offset, more in
        ReassemblyTests.fragment(of: packet, offset, 8 + 96 * (offset / 800), more: more)
      }
    }
  }

  /// Another sender and another datagram.
  private static func bend(fragment frame: UnsafeMutableRawPointer, _ random: inout SplitMix) {
    let word = random.next()
    if UnsafeRawPointer(frame).loadByte(at: 12) == 8 {
      frame.storeBytes(of: UInt16(truncatingIfNeeded: word), toByteOffset: 18, as: UInt16.self)
      frame.storeBigEndian32(0x0b00_0000 | UInt32(truncatingIfNeeded: word >> 16) & 0xff_ffff, at: 26)
      WorkerState.finishIPv4Header(frame + 14, byteCount: 20)
    } else {
      frame.storeBytes(of: word, toByteOffset: 14 + 16, as: UInt64.self)
      frame.storeBytes(of: UInt32(truncatingIfNeeded: word >> 32), toByteOffset: 14 + 44, as: UInt32.self)
    }
  }

  @Test func fragmentsThatNeverComplete() async {
    await #expect(processExitsWith: .success) {
      let services = [IPAddress.Family.ipv4, .ipv6].map { TestService(family: $0, transport: .udp) }
      let director = try Director(services)
      let seed = FloodMemoryTests.seed()
      var stream = Stream(director: director, random: SplitMix(seed: seed))
      let pool = director.dataplane.shared.state.fragments
      let most = Limits.fragmentBlocks * FragmentPool.shardCount
      #expect(FragmentPool.byteCount <= 20 << 20, "8 MiB for each family, and what says where things are")
      var (blocks, chain, turns) = (0, 0, 0)
      try FloodMemoryTests.expectGrowth(
        atMost: FragmentPool.byteCount + FloodMemoryTests.slack, "fragments, seed \(seed)"
      ) {
        stream.send(FloodMemoryTests.million, FloodMemoryTests.fragmentTemplates()) { frame, _, random in
          FloodMemoryTests.bend(fragment: frame, &random)
        } each: {
          turns += 1
          guard turns % 256 == 0 else { return }
          blocks = max(blocks, pool.usedBlockCount)
          chain = max(chain, FloodMemoryTests.longestChain(pool))
          director.advance(seconds: 0.01)
        }
      }
      #expect(blocks <= most && blocks > most / 8, "\(blocks) of \(most) blocks, seed \(seed)")
      #expect(chain <= 12, "\(chain) datagrams in one chain, seed \(seed)")
      let statistics = director.dataplane.statistics()
      #expect(statistics.isBalanced)
      #expect(statistics.outcomes[.fragmentPoolFull] ?? 0 > UInt64(FloodMemoryTests.million / 2))
      #expect(director.entryCounts == [0, 0])
    }
  }

  /// Errors about anything: to a service and to a server of each method, quoting both at random.
  private static func errorTemplates(_ services: [TestService]) -> [[UInt8]] {
    services.map { service in
      ErrorRelayTests.fromClient(service).with { $0.count = 40 }.frame(from: Network.router, to: Network.outside)
    }
  }

  /// Other ports, and mostly another client, in what is quoted; the checksums are right.
  private static func bend(error frame: UnsafeMutableRawPointer, _ random: inout SplitMix) {
    let isV4 = UnsafeRawPointer(frame).loadByte(at: 12) == 8
    let (message, byteCount) = isV4 ? (34, 68) : (54, 88)
    let quote = frame + message + 8
    let word = random.next()
    let transport = quote + (isV4 ? 20 : 40)
    transport.storeBytes(of: UInt32(truncatingIfNeeded: word), as: UInt32.self)
    if word >> 32 & 3 != 0 {
      (quote + (isV4 ? 16 : 24)).storeBytes(of: UInt32(truncatingIfNeeded: word >> 16), as: UInt32.self)
    }
    if word >> 34 & 3 == 0 { transport.storeBigEndian16(80, at: 0) }
    (frame + message).storeBigEndian16(0, at: 2)
    var sum = Checksum()
    if !isV4 { sum.addPseudoHeader6(addresses: frame + 22, protocolNumber: IPProtocol.icmpv6, byteCount: byteCount) }
    sum.add(UnsafeRawBufferPointer(start: frame + message, count: byteCount))
    (frame + message).storeBytes(of: sum.value, toByteOffset: 2, as: UInt16.self)
  }

  @Test func errorsAboutAnything() async {
    await #expect(processExitsWith: .success) {
      let services = ErrorFuzzTests.services.filter { $0.transport == .tcp }.enumerated().map { index, service in
        var service = service
        service.port = UInt16(80 + index)
        return service
      }
      let director = try Director(services)
      for service in services { #expect(director.fromClient(.request(service)).outcome.isForwarded) }
      let seed = FloodMemoryTests.seed()
      var stream = Stream(director: director, random: SplitMix(seed: seed))
      let (entries, wide) = (director.entryCounts, director.wideEntryCount)
      let tables = director.dataplane.shared.state
      // A lookup goes beyond its line only where something stands that had to go there.
      #expect(FloodMemoryTests.markedLines(tables.tableV4) + FloodMemoryTests.markedLines(tables.tableV6) <= 1)
      try FloodMemoryTests.expectGrowth(atMost: FloodMemoryTests.slack, "errors, seed \(seed)") {
        stream.send(FloodMemoryTests.million, FloodMemoryTests.errorTemplates(services)) { frame, _, random in
          FloodMemoryTests.bend(error: frame, &random)
        } each: {
        }
      }
      #expect(
        director.entryCounts == entries && director.wideEntryCount == wide, "an error opens nothing, seed \(seed)")
      #expect(FloodMemoryTests.markedLines(tables.tableV4) + FloodMemoryTests.markedLines(tables.tableV6) <= 1)
      #expect(stream.outcomes[.icmp] ?? 0 > Int(FloodMemoryTests.million) * 9 / 10, "\(stream.outcomes), seed \(seed)")
      director.verifyEmptyAfterExpiry()
    }
  }

  private static func markedLines<Key>(_ table: ConnectionTable<Key>) -> Int {
    (0..<UInt64(table.lineCount)).count {
      Connection(word: table.line($0)[Key.wordsPerSlot - 1]).word & Connection.overflowMask != 0
    }
  }
}
