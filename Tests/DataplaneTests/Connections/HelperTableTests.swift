import Dispatch
import Testing

@testable import Dataplane

/// Records of control connections: one for each, no more than there are, and all of them come back.
@Suite struct HelperTableTests {
  private final class Memory {
    let base: UnsafeMutableRawPointer
    init() {
      base = .allocate(byteCount: HelperTable.byteCount, alignment: 64)
      base.initializeMemory(as: UInt8.self, repeating: 0, count: HelperTable.byteCount)
    }
    deinit { base.deallocate() }
  }

  @Test func aRecordIsNobodysBefore() {
    let memory = Memory()
    defer { withExtendedLifetime(memory) {} }
    let table = HelperTable(memory: memory.base)
    let number = table.take()
    #expect(number == 1 && !table.isShared(number))
    table.record(of: number)[0] = 7
    table.record(of: number)[1] = HelperTable.passive
    table.release(number)
    #expect(table.take() == number)
    #expect(table.record(of: number)[0] == 0 && table.record(of: number)[1] == 0, "the last one's notes are gone")
  }

  @Test func theLastUserGivesItBack() {
    let memory = Memory()
    defer { withExtendedLifetime(memory) {} }
    let table = HelperTable(memory: memory.base)
    let number = table.take()
    #expect(table.use(number) && table.use(number) && table.isShared(number))
    table.release(number)
    #expect(table.isShared(number))
    table.release(number)
    #expect(!table.isShared(number))
    #expect(table.take() != number, "the control connection still has it")
    table.release(number)
    #expect(!table.use(number), "nobody has it")
    #expect(table.take() == number)
  }

  @Test func noneIsGivenTwiceAndFullIsFull() {
    let memory = Memory()
    defer { withExtendedLifetime(memory) {} }
    let table = HelperTable(memory: memory.base)
    var numbers: Set<UInt16> = []
    for _ in 0..<Limits.helperCapacity { numbers.insert(table.take()) }
    #expect(numbers.count == Limits.helperCapacity && !numbers.contains(0))
    #expect(table.take() == 0)
    table.release(0)
    #expect(table.take() == 0, "no record is 0's")
    table.release(4711)
    #expect(table.take() == 4711)
  }

  /// What one thread more gives back than was taken, or less, shows in the end.
  @Test func threadsShareRecords() {
    let memory = Memory()
    defer { withExtendedLifetime(memory) {} }
    nonisolated(unsafe) let table = HelperTable(memory: memory.base)
    let shared = table.take()
    DispatchQueue.concurrentPerform(iterations: 4) { _ in
      for _ in 0..<20_000 {
        let own = table.take()
        if own != 0, table.use(shared) { table.release(shared) }
        if own != 0, table.use(own) { table.release(own) }
        table.release(own)
      }
    }
    #expect(!table.isShared(shared))
    table.release(shared)
    var numbers: Set<UInt16> = []
    for _ in 0..<Limits.helperCapacity { numbers.insert(table.take()) }
    #expect(numbers.count == Limits.helperCapacity && !numbers.contains(0))
  }
}
