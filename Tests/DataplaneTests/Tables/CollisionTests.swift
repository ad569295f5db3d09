import CShims
import Testing

@testable import Dataplane

/// Somebody knows the secret and sends nothing but keys that belong in one line.
///
/// What must hold then: no key ever gets another's connection, what has no room within the probe limit is refused, and the
/// rest of the table does not notice. (Without the secret nobody can choose such keys: `HashSpreadTests`.)
@Suite struct CollisionTests {
  private typealias Bench<Key: ConnectionKey> = ConnectionTableTests.Bench<Key>

  private static let lineCount = 256
  /// Near the end of the memory, so that what has no room goes round to its beginning.
  private static let target: UInt64 = 240

  private static var allLines: Range<UInt64> { 0..<UInt64(lineCount) }

  /// A table under attack, and a dictionary of what must be in it.
  private struct Siege<Key: ConnectionKey> {
    typealias Table = ConnectionTable<Key>

    let bench: Bench<Key>
    /// All belong in the line `target`.
    let attackers: [Int]
    /// Keys of others; what belongs far from the target, and what belongs where the attackers spread to.
    let far: [Int]
    let near: [Int]
    /// Number -> whether it takes two slots.
    var model: [Int: Bool] = [:]

    init(seed: UInt64) {
      let bench = Bench<Key>(lines: lineCount, seed: seed)
      self.bench = bench
      attackers = bench.numbers(at: target, count: 2000)
      let others = Array(10_000_000..<10_000_000 + lineCount)
      let isFar = { Self.distance(to: bench.home($0)) >= UInt64(Limits.probeLineLimit) }
      far = others.filter { isFar($0) && Self.distance(to: bench.home($0)) < UInt64(lineCount - Limits.probeLineLimit) }
      near = others.filter { !isFar($0) }
    }

    /// Lines from the target on to `line`, round the end of the memory.
    static func distance(to line: UInt64) -> UInt64 { (line &- target) & UInt64(lineCount - 1) }

    /// The most entries of the target line there is room for.
    static var room: Int { Limits.probeLineLimit * Table.slotsPerLine }

    /// The number is in the value: it tells whose it is.
    static func value(_ number: Int) -> Connection {
      var connection = Connection(server: UInt16(truncatingIfNeeded: number), noOutput: false)
      connection.localPort = UInt16(truncatingIfNeeded: number >> 16)
      return connection
    }

    func find(_ number: Int) -> Int? {
      bench.find(number).map { slot in
        let connection = bench.table.load(slot)
        return Int(connection.server) | Int(connection.localPort) << 16
      }
    }

    /// - Returns: false when the key was refused.
    mutating func insert(_ number: Int, isPair: Bool = false) throws -> Bool {
      let key = Bench<Key>.key(number)
      let insertion = bench.table.insert(
        key, hash: key.hash(bench.table.secret), value: Self.value(number), generation: 1 << 31 | UInt64(number),
        continuation: isPair ? Bench<Key>.key(number + 1 << 28) : nil)
      switch insertion {
      case .inserted:
        try #require(model[number] == nil, "\(number) twice")
        model[number] = isPair
        return true
      case .existing(let slot):
        try #require(model[number] != nil && key.matches(slot), "\(number) was not there")
        return true
      case .full:
        try #require(model[number] == nil, "\(number) was there")
        return false
      }
    }

    mutating func remove(_ number: Int) throws {
      let slot = try #require(bench.find(number))
      let isPair = try #require(model[number] as Bool?)
      model[number] = nil
      let removed = bench.table.remove(slot, hasContinuation: isPair)
      try #require(removed?.server == Self.value(number).server)
    }

    /// Everybody finds his own, or nothing.
    func check(_ comment: Comment) throws {
      for number in attackers + far + near {
        let expected = model[number] == nil ? nil : number
        try #require(find(number) == expected, comment)
      }
    }

    func isMarked(_ line: UInt64) -> Bool {
      Table.value(bench.table.line(line)).pointee & Connection.overflowMask != 0
    }
  }

  /// Runs a generic test for both kinds of keys.
  private protocol Body {
    func run<Key: ConnectionKey>(_ type: Key.Type, seed: UInt64) throws
  }

  private func both(_ body: some Body, seed: UInt64) throws {
    try body.run(KeyV4.self, seed: seed)
    try body.run(KeyV6.self, seed: seed)
  }

  /// The attackers fill what the probe limit gives them, not a slot more; others are where they were.
  @Test(arguments: [1, 2, 3] as [UInt64])
  func refused(seed: UInt64) throws {
    struct Test: Body {
      func run<Key: ConnectionKey>(_ type: Key.Type, seed: UInt64) throws {
        var siege = Siege<Key>(seed: seed)
        let early = siege.far.prefix(siege.far.count / 2)
        for number in early { try #require(try siege.insert(number)) }
        let places = early.map { siege.bench.find($0) }
        let marks = CollisionTests.allLines.filter { siege.isMarked($0) }
        let accepted = try siege.attackers.filter { try siege.insert($0) }
        #expect(accepted == Array(siege.attackers.prefix(Siege<Key>.room)))
        try siege.check("seed \(seed), full")
        #expect(early.map { siege.bench.find($0) } == places)
        // No line outside is marked that was not before: what belongs there is found, or missed, as fast as ever.
        let more = CollisionTests.allLines.filter { siege.isMarked($0) && !marks.contains($0) }
        #expect(more.allSatisfy { Siege<Key>.distance(to: $0) < UInt64(Limits.probeLineLimit) })
        for number in siege.far.dropFirst(early.count) { #expect(try siege.insert(number)) }
        // Who belongs among the attackers may be refused, or stands behind them.
        for number in siege.near { _ = try siege.insert(number) }
        try siege.check("seed \(seed), with late comers")
        // No lookup goes on without end, wherever it begins.
        for line in CollisionTests.allLines {
          #expect((0...UInt64(Limits.probeLineLimit * 2)).contains { !siege.isMarked(line + $0) })
        }
        for number in siege.model.keys.sorted() { try siege.remove(number) }
        for _ in 0...Limits.probeLineLimit { siege.bench.clearMarks() }
        #expect(siege.bench.used == (0, 0))
      }
    }
    try both(Test(), seed: seed)
  }

  /// Attackers come and go, in pairs too, with the hand at work and others among them.
  @Test(arguments: [1, 2, 3] as [UInt64])
  func churn(seed: UInt64) throws {
    struct Test: Body {
      func run<Key: ConnectionKey>(_ type: Key.Type, seed: UInt64) throws {
        var siege = Siege<Key>(seed: seed)
        var random = SplitMix(seed: seed)
        let others = siege.far + siege.near
        var refused = 0
        for step in 0..<8000 {
          let number = random.next(below: 4) == 0 ? random.pick(others) : random.pick(siege.attackers)
          if siege.model[number] != nil, random.next(below: 2) == 0 {
            try siege.remove(number)
          } else if try !siege.insert(number, isPair: number % 3 == 0) {
            refused += 1
            try #require(Siege<Key>.distance(to: siege.bench.home(number)) < UInt64(Limits.probeLineLimit))
          } else if step % 2 == 0, let leaving = siege.model.keys.min(by: { $0 ^ step < $1 ^ step }) {
            try siege.remove(leaving)
          }
          if random.next(below: 3) == 0 { siege.bench.table.clearMark(line: random.next()) }
          let other = random.pick(siege.attackers)
          try #require(siege.find(other) == (siege.model[other] == nil ? nil : other), "seed \(seed), step \(step)")
          if step % 1000 == 999 { try siege.check("seed \(seed), step \(step)") }
        }
        #expect(refused > 0, "seed \(seed): it never was full")
        for number in siege.model.keys.sorted() { try siege.remove(number) }
        for _ in 0...Limits.probeLineLimit { siege.bench.clearMarks() }
        #expect(siege.bench.used == (0, 0))
      }
    }
    try both(Test(), seed: seed)
  }

  /// Worse than any secret could allow: all keys have the very same hash. The key is compared, never the hash alone.
  @Test(arguments: [0, 0xffff_ffff] as [UInt64])
  func sameHash(hash: UInt64) throws {
    struct Test: Body {
      func run<Key: ConnectionKey>(_ type: Key.Type, seed hash: UInt64) throws {
        let bench = Bench<Key>(lines: 64)
        defer { withExtendedLifetime(bench) {} }
        let table = bench.table
        let numbers = 1...1000
        func find(_ number: Int) -> ConnectionTable<Key>.Slot? { table.find(Bench<Key>.key(number), hash: hash) }
        func server(_ number: Int) -> UInt16? { find(number).map { table.load($0).server } }
        for number in numbers {
          let insertion = table.insert(
            Bench<Key>.key(number), hash: hash, value: Siege<Key>.value(number), generation: 1 << 31 | UInt64(number))
          let isInserted = if case .inserted = insertion { true } else { false }
          #expect(isInserted == (number <= Siege<Key>.room))
        }
        #expect(numbers.allSatisfy { server($0) == ($0 <= Siege<Key>.room ? UInt16($0) : nil) })
        for number in numbers where number % 2 == 0 {
          _ = find(number).map { table.remove($0, hasContinuation: false) }
        }
        #expect(numbers.allSatisfy { server($0) == ($0 <= Siege<Key>.room && $0 % 2 == 1 ? UInt16($0) : nil) })
      }
    }
    try both(Test(), seed: hash)
  }
}
