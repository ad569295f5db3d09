import Testing

@testable import Scheduler

struct MaglevHashingTests {
  /// A client, and where A1 B1 C2 send it: by its address, with port 40000, and (with fallback) when C is quiescent.
  struct Row: CustomTestStringConvertible {
    let client: UInt32
    let slot: Int
    let server: String
    let portSlot: Int
    let portServer: String
    let fallbackServer: String

    var testDescription: String { String(client, radix: 16) }
    var flow: ScheduledFlow { ScheduledFlow(clientFold: AddressFold.v4(client), clientPort: 40000) }
  }

  static let rows = [
    Row(client: 0x0a00_0001, slot: 3711, server: "B", portSlot: 2940, portServer: "B", fallbackServer: "B"),
    Row(client: 0x0a00_0002, slot: 1884, server: "C", portSlot: 273, portServer: "A", fallbackServer: "A"),
    Row(client: 0x0a00_0003, slot: 3741, server: "B", portSlot: 1528, portServer: "C", fallbackServer: "B"),
    Row(client: 0xc000_0201, slot: 2891, server: "C", portSlot: 3651, portServer: "C", fallbackServer: "A"),
    Row(client: 0xc633_6407, slot: 924, server: "C", portSlot: 1707, portServer: "B", fallbackServer: "B"),
    Row(client: 0xcb00_7109, slot: 1189, server: "C", portSlot: 1917, portServer: "B", fallbackServer: "B"),
  ]

  /// The table of a service that has had those servers added in that order.
  private func table(_ text: String, then change: (inout ServiceModel) -> Void = { _ in }) -> [String] {
    var service = ServiceModel(.maglevHashing, boundWith: text)
    change(&service)
    let table = Scheduler.maglevHashing.makeTable { service.servers.map(\.hashed) } ?? []
    return table.map { $0 == RealServerSet.emptyBucket ? "-" : service.servers[Int($0)].name }
  }

  private func counts(_ table: [String]) -> [String: Int] {
    table.reduce(into: [:]) { $0[$1, default: 0] += 1 }
  }

  @Test func hashIsSipHash13() {
    #expect(MaglevHashing.hash(0x0a00_0001, key: 2_654_435_761) == 0x0308_0ce4)
    #expect(MaglevHashing.hash(0x0a00_0001, key: 2_654_446_892) == 0x48f9_d0c1)
  }

  @Test(arguments: rows) func vectors(row: Row) {
    #expect(MaglevHashing.slot(of: MaglevHashing.number(of: row.flow, flags: [])) == row.slot)
    #expect(MaglevHashing.slot(of: MaglevHashing.number(of: row.flow, flags: .port)) == row.portSlot)
    var plain = ServiceModel(.maglevHashing, boundWith: "A1 B1 C2")
    #expect(plain.connect(row.flow) == row.server)
    #expect(plain.connect(row.flow) == row.server, "the same client again")
    plain.edit("C", weight: 0)
    #expect(plain.connect(row.flow) == (row.server == "C" ? nil : row.server))
    var withPort = ServiceModel(.maglevHashing, boundWith: "A1 B1 C2", flags: .port)
    #expect(withPort.connect(row.flow) == row.portServer)
    var lenient = ServiceModel(.maglevHashing, boundWith: "A1 B1 C2", flags: .fallback)
    lenient.edit("C", weight: 0)
    #expect(lenient.connect(row.flow) == row.fallbackServer)
  }

  @Test func slotsAreSharedOutByWeight() {
    let all = table("A1 B1 C2")
    #expect(all.prefix(16).joined() == "CAABCACAABCABBAC")
    #expect(counts(all) == ["A": 1023, "B": 1023, "C": 2047])
    #expect(table("A3 B3 C6") == all, "weights count by their ratio")
  }

  @Test func fewSlotsChangeHandsWhenAServerLeaves() {
    let before = table("A1 B1 C2")
    let after = table("A1 B1 C2") { $0.remove("B") }
    #expect(counts(after) == ["A": 1364, "C": 2729])
    #expect(zip(before, after).filter { $0 != "B" && $0 != $1 }.count == 4)
  }

  @Test func quiescentServerKeepsItsSlots() {
    let before = table("A1 B1 C2")
    #expect(table("A1 B1 C2") { $0.edit("C", weight: 0) } == before)
    #expect(table("A1 B1 C0") == table("A1 B1"), "one that never had a weight has none")
    #expect(table("A1 B1 C0") { $0.edit("C", weight: 2) } == before)
    #expect(counts(table("A0 B0")) == ["-": 4093])
    #expect(counts(table("")) == ["-": 4093])
  }

  @Test func heavyWeightsAreScaledDown() {
    // 64 needs seven bits: halved, A takes 32 a turn and B, which comes first, still one.
    #expect(counts(table("A64 B1")) == ["A": 124 * 32, "B": 124 + 1])
    #expect(counts(table("A63 B1")) == ["A": 63 * 63 + 60, "B": 63 + 1])
    #expect(counts(table("A2147483647 B1")) == ["A": 63 * 63 + 60, "B": 63 + 1])
  }

  @Test func moreServersThanSlots() {
    let servers = (0..<5000).map { HashedServer(weight: 1, lastWeight: 1, addressFold: UInt32($0), port: 80) }
    let table = MaglevHashing.makeTable(servers)
    #expect(Set(table).count == MaglevHashing.slotCount)
    #expect(table.allSatisfy { $0 < MaglevHashing.slotCount })
  }

  @Test func overloadCountsAsUnavailable() {
    let flow = MaglevHashingTests.rows[0].flow
    var strict = ServiceModel(.maglevHashing, boundWith: "A1 B1 C2")
    strict.overload("B")
    #expect(strict.connect(flow) == nil)
    var lenient = ServiceModel(.maglevHashing, boundWith: "A1 B1 C2", flags: .fallback)
    lenient.overload("B")
    #expect(lenient.connect(flow) != nil)
    lenient.overload("A")
    lenient.overload("C")
    #expect(lenient.connect(flow) == nil)
    var empty = ServiceModel(.maglevHashing, flags: .fallback)
    #expect(empty.connect(flow) == nil)
  }

  @Test func fallbackFindsTheOneServerThatIsLeft() {
    for left in ["A", "B", "C"] {
      for row in MaglevHashingTests.rows {
        var service = ServiceModel(.maglevHashing, boundWith: "A63 B1 C63", flags: .fallback)
        for name in ["A", "B", "C"] where name != left { service.overload(name) }
        #expect(service.connect(row.flow) == left)
      }
    }
  }
}
