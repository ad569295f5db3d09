import Testing

@testable import Dataplane

/// Who remembers the ports of a fragmented datagram, and for how long.
@Suite struct FragmentTableTests {
  private static func entry(_ number: Int, protocolNumber: UInt8 = 17) -> FragmentTable.Entry {
    var entry = FragmentTable.Entry()
    entry.sourceHigh = 1
    entry.sourceLow = UInt64(number)
    entry.destinationHigh = 2
    entry.destinationLow = 3
    entry.identification = 4
    entry.protocolNumber = protocolNumber
    return entry
  }

  /// A table behind a reference, which expectations can hold.
  private final class Memory {
    private let table = FragmentTable(secret: HashSecret(seed: 1))

    func remember(
      _ key: FragmentTable.Entry, sourcePort: UInt16, destinationPort: UInt16, now: UInt64
    ) -> Bool {
      table.remember(key, sourcePort: sourcePort, destinationPort: destinationPort, now: now)
    }

    func ports(of key: FragmentTable.Entry, now: UInt64) -> UInt32? { table.ports(of: key, now: now) }
  }

  private static func pair(_ source: UInt32, _ destination: UInt32) -> UInt32 { source << 16 | destination }

  private static let second: UInt64 = 1_000_000_000

  @Test func everyPartCounts() {
    let table = Memory()
    #expect(table.remember(Self.entry(1), sourcePort: 5, destinationPort: 6, now: 0))
    #expect(table.ports(of: Self.entry(1), now: 0) == Self.pair(5, 6))
    let changes: [(inout FragmentTable.Entry) -> Void] = [
      { $0.sourceHigh += 1 }, { $0.sourceLow += 1 }, { $0.destinationHigh += 1 }, { $0.destinationLow += 1 },
      { $0.identification += 1 }, { $0.protocolNumber += 1 },
    ]
    for change in changes {
      var other = Self.entry(1)
      change(&other)
      #expect(table.ports(of: other, now: 0) == nil)
    }
  }

  @Test func lifetime() {
    let table = Memory()
    let end = UInt64(Limits.fragmentSeconds) * Self.second
    #expect(table.remember(Self.entry(1), sourcePort: 5, destinationPort: 6, now: 0))
    #expect(table.ports(of: Self.entry(1), now: end - 1) != nil)
    #expect(table.ports(of: Self.entry(1), now: end) == nil)
    // The same identification again: the newest first fragment says which ports.
    #expect(table.remember(Self.entry(1), sourcePort: 7, destinationPort: 8, now: end))
    #expect(table.ports(of: Self.entry(1), now: end) == Self.pair(7, 8))
    #expect(table.remember(Self.entry(1), sourcePort: 9, destinationPort: 8, now: end + 1))
    #expect(table.ports(of: Self.entry(1), now: 2 * end) == Self.pair(9, 8))
  }

  /// A full set refuses newcomers and keeps what it has; everything fits again when it has outlived its time.
  @Test func crowd() {
    let table = Memory()
    let count = Limits.fragmentCapacity * 2
    let kept = (0..<count).filter { table.remember(Self.entry($0), sourcePort: 1, destinationPort: UInt16($0), now: 0) }
    #expect(kept.count > Limits.fragmentCapacity * 9 / 10 && kept.count <= Limits.fragmentCapacity)
    #expect(kept.allSatisfy { table.ports(of: Self.entry($0), now: 1) == Self.pair(1, UInt32($0)) })
    let refused = Set(0..<count).subtracting(kept)
    #expect(refused.allSatisfy { table.ports(of: Self.entry($0), now: 1) == nil })
    let later = UInt64(Limits.fragmentSeconds) * Self.second
    #expect(
      refused.prefix(100).allSatisfy {
        table.remember(Self.entry($0), sourcePort: 2, destinationPort: 3, now: later)
      })
  }
}
