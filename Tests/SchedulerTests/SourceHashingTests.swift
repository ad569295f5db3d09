import Testing

@testable import Scheduler

struct SourceHashingTests {
  struct Row: CustomTestStringConvertible {
    let client: (UInt32, UInt32, UInt32, UInt32)
    let bucket: Int
    let server: String
    let portBucket: Int
    let portServer: String

    var testDescription: String { "\(client.0).\(client.1).\(client.2).\(client.3)" }
    var flow: ScheduledFlow {
      let number = client.0 << 24 | client.1 << 16 | client.2 << 8 | client.3
      return ScheduledFlow(clientFold: AddressFold.v4(number), clientPort: 40000)
    }
  }

  static let rows = [
    Row(client: (10, 0, 0, 1), bucket: 39, server: "A", portBucket: 203, portServer: "A"),
    Row(client: (10, 0, 0, 2), bucket: 137, server: "A", portBucket: 45, portServer: "A"),
    Row(client: (10, 0, 0, 3), bucket: 235, server: "B", portBucket: 143, portServer: "A"),
    Row(client: (192, 0, 2, 1), bucket: 50, server: "B", portBucket: 214, portServer: "A"),
    Row(client: (192, 0, 2, 77), bucket: 58, server: "A", portBucket: 222, portServer: "C"),
    Row(client: (198, 51, 100, 7), bucket: 171, server: "A", portBucket: 79, portServer: "B"),
  ]

  @Test(arguments: rows) func vectors(row: Row) {
    #expect(SourceHashing.bucket(of: row.flow, flags: []) == row.bucket)
    #expect(SourceHashing.bucket(of: row.flow, flags: .port) == row.portBucket)
    var plain = ServiceModel(.sourceHashing, boundWith: "A3 B2 C1")
    #expect(plain.connect(row.flow) == row.server)
    #expect(plain.connect(row.flow) == row.server, "the same client again")
    var withPort = ServiceModel(.sourceHashing, boundWith: "A3 B2 C1", flags: .port)
    #expect(withPort.connect(row.flow) == row.portServer)
  }

  private func made(weights: [Int32]) -> [UInt16]? {
    Scheduler.sourceHashing.makeTable {
      weights.map { HashedServer(weight: $0, lastWeight: $0, addressFold: 0, port: 0) }
    }
  }

  @Test func tableIsDealtOutByWeight() throws {
    let table = try #require(made(weights: [1, 2, 3]))
    #expect(table.count == 256)
    #expect(table.prefix(11) == [0, 1, 1, 2, 2, 2, 0, 1, 1, 2, 2])
    #expect((0..<3).map { server in table.filter { $0 == server }.count } == [43, 86, 127])
  }

  @Test func quiescentServerKeepsOneBucketARound() throws {
    let table = try #require(made(weights: [0, 2, -1]))
    #expect(table.prefix(9) == [0, 1, 1, 2, 0, 1, 1, 2, 0])
    let heavy = try #require(made(weights: [.max, 1]))
    #expect(heavy.allSatisfy { $0 == 0 })
    let empty = try #require(made(weights: []))
    #expect(empty.allSatisfy { $0 == RealServerSet.emptyBucket })
  }

  @Test func clientOfAQuiescentServerGetsNoneOrTheFallback() {
    let flow = ScheduledFlow(clientFold: 0xcb00_710a)
    var strict = ServiceModel(.sourceHashing, boundWith: "A3 B2 C1")
    #expect(SourceHashing.bucket(of: flow, flags: []) == 162)
    #expect(strict.connect(flow) == "C")
    strict.edit("C", weight: 0)
    #expect(strict.connect(flow) == nil)
    var lenient = ServiceModel(.sourceHashing, boundWith: "A3 B2 C1", flags: .fallback)
    lenient.edit("C", weight: 0)
    #expect(lenient.connect(flow) == "B")
  }

  @Test func overloadCountsAsUnavailable() {
    let flow = ScheduledFlow(clientFold: 0x0a00_0001)
    var strict = ServiceModel(.sourceHashing, boundWith: "A3 B2 C1")
    strict.overload("A")
    #expect(strict.connect(flow) == nil)
    var lenient = ServiceModel(.sourceHashing, boundWith: "A3 B2 C1", flags: .fallback)
    lenient.overload("A")
    #expect(lenient.connect(flow) != nil)
    lenient.overload("B")
    lenient.overload("C")
    #expect(lenient.connect(flow) == nil)
    var empty = ServiceModel(.sourceHashing, flags: .fallback)
    #expect(empty.connect(flow) == nil)
  }

  @Test func everyListEventDealsAnew() {
    let flow = ScheduledFlow(clientFold: 0x0a00_0001)
    var service = ServiceModel(.sourceHashing, boundWith: "A3 B2 C1")
    #expect(service.connect(flow) == "A")
    service.remove("A")
    #expect(service.connect(flow) == "C", "bucket 39 of C B B C B B …")
    service.edit("B", weight: 1)
    #expect(service.connect(flow) == "B", "bucket 39 of C B C B …")
  }
}
