import Kernel
import Testing

@testable import Dataplane

/// Workers that put fragments into one pool at the same time, built to be run under ThreadSanitizer (`make test-tsan`):
/// each datagram is completed exactly once, by whoever brings its last fragment, with the bytes that were put in.
@Suite(.serialized) struct FragmentPoolRaceTests {
  private struct Arena: @unchecked Sendable {
    let pool: FragmentPool
    /// Of each thread: datagrams completed, those with wrong bytes, and fragments that ended otherwise.
    let counts: UnsafeMutablePointer<Int>
  }

  private static let datagrams = 20_000

  private static func fragment(_ number: Int, _ part: Int, parts: Int) -> Fragment {
    Fragment(
      key: DatagramKey(
        source: (0, UInt64(number % 7)), destination: (0, 1), identification: UInt32(number), protocolNumber: 17,
        isIPv6: number % 2 == 0),
      offset: part * 600, byteCount: 600, headerByteCount: 20, packetByteCount: 620, isLast: part == parts - 1,
      mustNotBeCut: false, congestion: 1)
  }

  private static func byte(_ number: Int, _ part: Int) -> UInt8 { UInt8(truncatingIfNeeded: number &* 31 &+ part) }

  /// Thread `thread` brings the part of that number of each datagram.
  private static func run(_ thread: Int, of threads: Int, _ arena: Arena) {
    let packet = UnsafeMutableRawPointer.allocate(byteCount: 1024, alignment: 8)
    defer { packet.deallocate() }
    let counts = arena.counts + thread * 8
    for number in 0..<datagrams {
      packet.initializeMemory(as: UInt8.self, repeating: byte(number, thread), count: 1024)
      let (verdict, shard) = arena.pool.keep(fragment(number, thread, parts: threads), packet, now: 0)
      counts[2] += verdict.ended + verdict.evicted
      guard verdict.outcome == .pending else { continue }
      let datagram = shard.pointee.datagrams[Int(verdict.datagram)]
      var block = datagram.first
      for part in 0..<threads {
        shard.pointee.copy(block, from: 20, count: 600, to: packet)
        let bytes = UnsafeRawBufferPointer(start: packet, count: 600)
        if !bytes.allSatisfy({ $0 == byte(number, part) }) { counts[1] += 1 }
        block = shard.pointee.links[Int(block)].following
      }
      counts[0] += 1
      arena.pool.release(verdict.datagram, shard)
    }
  }

  @Test(arguments: [2, 4]) func everyDatagramOnce(threads: Int) throws {
    let memory = try MappedMemory(byteCount: FragmentPool.byteCount, hugePages: .never)
    let counts = UnsafeMutablePointer<Int>.allocate(capacity: threads * 8)
    counts.initialize(repeating: 0, count: threads * 8)
    defer { counts.deallocate() }
    let arena = Arena(pool: FragmentPool(memory: memory.base, secret: HashSecret(seed: 3)), counts: counts)
    let running = UnsafeMutablePointer<PinnedThread>.allocate(capacity: threads)
    defer { running.deallocate() }
    for thread in 0..<threads {
      (running + thread).initialize(
        to: try PinnedThread.start(name: "fragments-\(thread)", core: nil) { Self.run(thread, of: threads, arena) })
    }
    for thread in 0..<threads { (running + thread).move().join() }
    let sums = (0..<3).map { column in (0..<threads).reduce(0) { $0 + counts[$1 * 8 + column] } }
    #expect(sums[1] == 0, "bytes of another datagram")
    #expect(sums[0] > 0 && sums[0] <= Self.datagrams)
    // What is not complete has been evicted for younger ones, or is still there.
    var left = 0
    for index in 0..<FragmentPool.shardCount {
      while let number = arena.pool.takeExpired(arena.pool.shard(index), now: .max) {
        left += Int(arena.pool.shard(index).pointee.datagrams[Int(number)].fragmentCount)
        arena.pool.release(number, arena.pool.shard(index))
      }
    }
    #expect(sums[0] * threads + sums[2] + left == Self.datagrams * threads)
    #expect(arena.pool.usedBlockCount == 0)
  }
}
