import Dispatch
import Testing

@testable import Dataplane

/// Blocks of Call-IDs: what is put in comes out, none is given twice, all can be used again.
struct CallTableTests {
  private final class Memory {
    let base: UnsafeMutableRawPointer
    init(count: Int) {
      let byteCount = CallTable.byteCount(of: count)
      base = .allocate(byteCount: byteCount, alignment: 64)
      base.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    }
    deinit { base.deallocate() }
  }

  private func set(_ record: CallRecord, _ text: String, near: UInt64 = 7) {
    Array(text.utf8).withUnsafeBytes { record.set(near: (0, near), bytes: $0) }
  }

  @Test(arguments: [0, 1, 7, 8, 9, 254, 255, 300]) func whatIsPutInComesOut(count: Int) throws {
    let memory = Memory(count: 4)
    let table = CallTable(memory: memory.base, count: 4)
    let (record, read) = (CallRecord(), CallRecord())
    defer {
      record.deallocate()
      read.deallocate()
    }
    // Something longer was there before.
    set(record, String(repeating: "z", count: 255))
    table.give(try #require(table.take(record)))
    set(record, String(repeating: "x", count: count), near: 9)
    let block = try #require(table.take(record))
    #expect(table.holds(record, in: block))
    table.read(block, into: read)
    #expect(read.near == (0, 9))
    #expect(Array(read.bytes) == [UInt8](repeating: UInt8(ascii: "x"), count: min(count, 255)))
    set(record, String(repeating: "x", count: count), near: 10)
    #expect(!table.holds(record, in: block))
    guard count > 0, count < 255 else { return }
    set(record, String(repeating: "x", count: count + 1), near: 9)
    #expect(!table.holds(record, in: block))
    set(record, String(repeating: "x", count: count - 1) + "y", near: 9)
    #expect(!table.holds(record, in: block))
  }

  @Test func fullIsFullAndBlocksComeBack() throws {
    let memory = Memory(count: 3)
    let table = CallTable(memory: memory.base, count: 3)
    let record = CallRecord()
    defer { record.deallocate() }
    set(record, "a@b")
    var blocks: Set<UInt64> = []
    for _ in 0..<3 { blocks.insert(try #require(table.take(record))) }
    #expect(blocks == [0, 1, 2])
    #expect(table.take(record) == nil)
    table.give(1)
    #expect(table.take(record) == 1)
    #expect(table.take(record) == nil)
    // A number that is none's changes nothing.
    table.give(3)
    #expect(table.take(record) == nil)
  }

  @Test func hashesDependOnSecretNearAddressAndEveryByte() {
    let record = CallRecord()
    defer { record.deallocate() }
    var hashes: Set<UInt64> = []
    for seed: UInt64 in [1, 2] {
      for text in ["a", "b", "a@b", "a@c", "aaaaaaaa", "aaaaaaaaa", "baaaaaaaa"] {
        for near: UInt64 in [1, 2] {
          set(record, text, near: near)
          hashes.insert(record.hash(HashSecret(seed: seed)))
        }
      }
    }
    #expect(hashes.count == 28)
  }

  private struct Shared: @unchecked Sendable {
    let table: CallTable
    let clashes: UnsafeMutablePointer<Int>
  }

  /// No two workers get one block.
  @Test func workersShare() {
    let memory = Memory(count: 64)
    let clashes = UnsafeMutablePointer<Int>.allocate(capacity: 4)
    clashes.initialize(repeating: 0, count: 4)
    defer { clashes.deallocate() }
    let shared = Shared(table: CallTable(memory: memory.base, count: 64), clashes: clashes)
    DispatchQueue.concurrentPerform(iterations: 4) { worker in
      let record = CallRecord()
      defer { record.deallocate() }
      Array("worker-\(worker)".utf8).withUnsafeBytes { record.set(near: (0, UInt64(worker)), bytes: $0) }
      for _ in 0..<20_000 {
        guard let first = shared.table.take(record) else { continue }
        let second = shared.table.take(record)
        if !shared.table.holds(record, in: first) { shared.clashes[worker] += 1 }
        if let second {
          if !shared.table.holds(record, in: second) { shared.clashes[worker] += 1 }
          shared.table.give(second)
        }
        shared.table.give(first)
      }
    }
    #expect((0..<4).allSatisfy { clashes[$0] == 0 })
    let record = CallRecord()
    defer { record.deallocate() }
    var left = 0
    while shared.table.take(record) != nil { left += 1 }
    #expect(left == 64)
  }
}
