import CShims
import Kernel
import Testing

@testable import Dataplane

/// The connection table by itself, for both kinds of keys.
@Suite struct ConnectionTableTests {
  /// A table with memory of its own.
  final class Bench<Key: ConnectionKey> {
    let table: ConnectionTable<Key>
    private let memory: UnsafeMutableRawPointer
    private var generation: UInt64 = 1 << 31

    init(lines: Int, seed: UInt64 = 3) {
      memory = .allocate(byteCount: lines * 64, alignment: 64)
      memory.initializeMemory(as: UInt8.self, repeating: 0, count: lines * 64)
      table = ConnectionTable(memory: memory, lineCount: lines, secret: HashSecret(seed: seed))
    }

    deinit { memory.deallocate() }

    var slotCount: Int { table.lineCount * ConnectionTable<Key>.slotsPerLine }

    static func key(_ number: Int) -> Key {
      Key(high: UInt64(number) << 20, low: UInt64(number), port: UInt16(truncatingIfNeeded: number), endpoint: 7)
    }

    func insert(_ number: Int, server: UInt16 = 1, continuation: Int? = nil) -> ConnectionTable<Key>.Insertion {
      let key = Self.key(number)
      generation += 1
      return table.insert(
        key, hash: key.hash(table.secret), value: Connection(server: server, noOutput: false), generation: generation,
        continuation: continuation.map { Self.key($0) })
    }

    func find(_ number: Int) -> ConnectionTable<Key>.Slot? {
      let key = Self.key(number)
      return table.find(key, hash: key.hash(table.secret))
    }

    /// The home line of a key.
    func home(_ number: Int) -> UInt64 { Self.key(number).hash(table.secret) & table.lineMask }

    /// Numbers from `first` on whose home is `line`.
    func numbers(at line: UInt64, count: Int, from first: Int = 0) -> [Int] {
      var found: [Int] = []
      var number = first
      while found.count < count {
        if home(number) == line { found.append(number) }
        number += 1
      }
      return found
    }

    func clearMarks() {
      for line in 0..<UInt64(table.lineCount) { table.clearMark(line: line) }
    }

    /// Slots whose first word is not 0, and lines with a mark.
    var used: (slots: Int, marks: Int) {
      var result = (slots: 0, marks: 0)
      for line in 0..<UInt64(table.lineCount) {
        let first = table.line(line)
        for position in 0..<ConnectionTable<Key>.slotsPerLine where first[position * Key.wordsPerSlot] != 0 {
          result.slots += 1
        }
        if ConnectionTable<Key>.value(first).pointee & Connection.overflowMask != 0 { result.marks += 1 }
      }
      return result
    }
  }

  /// Runs a generic test for both kinds of keys.
  protocol Body {
    func run<Key: ConnectionKey>(_ type: Key.Type) throws
  }

  private func both(_ body: some Body) throws {
    try body.run(KeyV4.self)
    try body.run(KeyV6.self)
  }

  /// For a moment two workers that put in the same key both have it in the line: it is there for a third one all the same.
  @Test func keyInTwoSlotsOfALine() throws {
    let bench = Bench<KeyV4>(lines: 4)
    let home = bench.home(1)
    let key = Bench<KeyV4>.key(1)
    for (first, second) in [(0, 1), (0, 3), (1, 2), (1, 3), (2, 3)] {
      let line = bench.table.line(home)
      for position in 0..<4 { line[position * 2] = position == first || position == second ? key.word : 0 }
      #expect(bench.find(1) != nil, "slots \(first) and \(second)")
      #expect(bench.table.look(for: key, at: line) != nil, "slots \(first) and \(second)")
    }
  }

  @Test func insertFindRemove() throws {
    struct Test: Body {
      func run<Key: ConnectionKey>(_ type: Key.Type) throws {
        let bench = Bench<Key>(lines: 16)
        #expect(bench.find(1) == nil)
        #expect(bench.insert(1, server: 9).isInserted)
        let slot = try #require(bench.find(1))
        #expect(bench.table.load(slot).server == 9)
        #expect(Key(slot) == Bench<Key>.key(1))
        #expect(bench.find(2) == nil)
        #expect(bench.insert(1, server: 8).found == slot)
        #expect(bench.table.remove(slot, hasContinuation: false)?.server == 9)
        #expect(bench.table.remove(slot, hasContinuation: false) == nil)
        #expect(bench.find(1) == nil)
        #expect(bench.used == (0, 0))
      }
    }
    try both(Test())
  }

  /// Up to nearly full: what was inserted is found, what was not is not; marks go when their reason has gone.
  @Test(arguments: [0.3, 0.6, 0.8, 0.9, 0.95])
  func load(factor: Double) throws {
    struct Test: Body {
      let factor: Double
      func run<Key: ConnectionKey>(_ type: Key.Type) throws {
        let bench = Bench<Key>(lines: 256)
        let count = Int(Double(bench.slotCount) * factor)
        let present = (0..<count).filter { bench.insert($0, server: UInt16($0)).isInserted }
        #expect(present.count > count * 97 / 100)
        func check(_ numbers: some Sequence<Int>) {
          let lost = numbers.filter { number in bench.find(number).map { bench.table.load($0).server } != UInt16(number)
          }
          #expect(lost.isEmpty)
        }
        check(present)
        #expect((count..<count * 2).allSatisfy { bench.find($0) == nil })
        bench.clearMarks()
        check(present)
        for number in present where number % 2 == 0 {
          #expect(bench.find(number).flatMap { bench.table.remove($0, hasContinuation: false) } != nil)
        }
        check(present.filter { $0 % 2 == 1 })
        bench.clearMarks()
        check(present.filter { $0 % 2 == 1 })
        #expect(present.allSatisfy { $0 % 2 == 1 || bench.find($0) == nil })
        for number in present where number % 2 == 1 {
          #expect(bench.find(number).flatMap { bench.table.remove($0, hasContinuation: false) } != nil)
        }
        // A mark may depend on the mark of the line behind it: the hand needs more than one round.
        for _ in 0...Limits.probeLineLimit { bench.clearMarks() }
        #expect(bench.used == (0, 0))
      }
    }
    try both(Test(factor: factor))
  }

  @Test func fullTable() throws {
    struct Test: Body {
      func run<Key: ConnectionKey>(_ type: Key.Type) throws {
        let bench = Bench<Key>(lines: 8)
        #expect((0..<bench.slotCount).allSatisfy { bench.insert($0).isInserted })
        if case .full = bench.insert(9999) {} else { Issue.record("there was room in a full table") }
        #expect(bench.find(9999) == nil)
        #expect(bench.insert(3).found == bench.find(3))
        #expect((0..<bench.slotCount).allSatisfy { bench.find($0) != nil })
        _ = bench.find(5).map { bench.table.remove($0, hasContinuation: false) }
        #expect(bench.insert(9999).isInserted)
      }
    }
    try both(Test())
  }

  /// A key that had to go further on is still the one when a slot before it has become free.
  @Test(arguments: [false, true])
  func keyFurtherOn(isPair: Bool) throws {
    struct Test: Body {
      let isPair: Bool
      func run<Key: ConnectionKey>(_ type: Key.Type) throws {
        let bench = Bench<Key>(lines: 16)
        let perLine = ConnectionTable<Key>.slotsPerLine
        let numbers = bench.numbers(at: 4, count: perLine + 1)
        #expect(numbers.dropLast().allSatisfy { bench.insert($0).isInserted })
        let last = try #require(numbers.last)
        #expect(bench.insert(last, continuation: isPair ? 1 : nil).isInserted)
        let slot = try #require(bench.find(last))
        for number in numbers.dropLast() {
          _ = bench.find(number).map { bench.table.remove($0, hasContinuation: false) }
        }
        #expect(bench.insert(last, continuation: isPair ? 1 : nil).found == slot)
        #expect(bench.find(last) == slot)
        #expect(bench.used.slots == (isPair ? 2 : 1))
      }
    }
    try both(Test(isPair: isPair))
  }

  /// A continuation stands beside its entry, is found by nobody, and goes with it.
  @Test func pairs() throws {
    struct Test: Body {
      func run<Key: ConnectionKey>(_ type: Key.Type) throws {
        let bench = Bench<Key>(lines: 16)
        let perLine = ConnectionTable<Key>.slotsPerLine
        for singles in 0..<perLine {
          let numbers = bench.numbers(at: 4, count: singles + 1, from: 100)
          for number in numbers.dropLast() { #expect(bench.insert(number).isInserted) }
          let pair = try #require(numbers.last)
          #expect(bench.insert(pair, server: 3, continuation: 55).isInserted)
          let slot = try #require(bench.find(pair))
          let place = (UnsafeRawPointer(slot) - UnsafeRawPointer(bench.table.lines)) / 8 / Key.wordsPerSlot
          #expect(place % perLine % 2 == 0, "both in one line")
          let client = Key(slot + Key.wordsPerSlot).at(endpoint: 7)
          #expect(client == Bench<Key>.key(55))
          #expect(bench.find(55) == nil)
          #expect(bench.insert(55).isInserted)
          #expect(bench.used.slots == singles + 3)
          for number in numbers.dropLast() + [55] {
            #expect(bench.find(number).flatMap { bench.table.remove($0, hasContinuation: false) } != nil)
          }
          #expect(bench.table.remove(slot, hasContinuation: true)?.server == 3)
          bench.clearMarks()
          #expect(bench.used == (0, 0), "\(singles) singles")
        }
      }
    }
    try both(Test())
  }

  /// Entries come and go, single and in pairs, with the hand at work; a dictionary says what must be there.
  @Test(arguments: [1, 2, 3])
  func churn(seed: Int) throws {
    struct Test: Body {
      let seed: UInt64
      func run<Key: ConnectionKey>(_ type: Key.Type) throws {
        let bench = Bench<Key>(lines: 32, seed: seed)
        var random = SplitMix(seed: seed)
        var model: [Int: (server: UInt16, isPair: Bool)] = [:]
        for step in 0..<12_000 {
          let number = random.next(below: bench.slotCount * 3 / 2)
          let isPair = number % 3 == 0
          if let entry = model[number], random.next(below: 2) == 0 {
            let slot = try #require(bench.find(number), "step \(step)")
            #expect(bench.table.remove(slot, hasContinuation: entry.isPair)?.server == entry.server)
            model[number] = nil
          } else {
            let server = UInt16(truncatingIfNeeded: step)
            switch bench.insert(number, server: server, continuation: isPair ? number + 1_000_000 : nil) {
            case .inserted:
              try #require(model[number] == nil, "step \(step)")
              model[number] = (server, isPair)
            case .existing: try #require(model[number] != nil, "step \(step)")
            case .full: break
            }
          }
          if random.next(below: 3) == 0 { bench.table.clearMark(line: random.next()) }
          let other = random.next(below: bench.slotCount * 3 / 2)
          let found = bench.find(other).map { bench.table.load($0).server }
          try #require(found == model[other]?.server, "step \(step)")
        }
        for (number, entry) in model {
          _ = bench.find(number).map { bench.table.remove($0, hasContinuation: entry.isPair) }
        }
        for _ in 0...Limits.probeLineLimit { bench.clearMarks() }
        #expect(bench.used == (0, 0))
      }
    }
    try both(Test(seed: UInt64(seed)))
  }
}

extension ConnectionTable.Insertion {
  fileprivate var isInserted: Bool { if case .inserted = self { true } else { false } }

  /// The slot of the entry that was there before.
  fileprivate var found: ConnectionTable<Key>.Slot? { if case .existing(let slot) = self { slot } else { nil } }
}
