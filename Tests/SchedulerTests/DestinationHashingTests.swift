import Testing

@testable import Scheduler

struct DestinationHashingTests {
  /// Destination, bucket, server of A, B, C.
  static let rows: [(UInt32, Int, String)] = [
    (0xc633_6401, 96, "C"), (0xc633_6402, 194, "A"), (0xc633_6403, 35, "A"), (0xcb00_7150, 94, "B"),
  ]

  @Test(arguments: rows) func vectors(destination: UInt32, bucket: Int, server: String) {
    let flow = ScheduledFlow(to: destination)
    #expect(DestinationHashing.bucket(of: flow) == bucket)
    var service = ServiceModel(.destinationHashing, boundWith: "A1 B1 C1")
    #expect(service.connect(flow) == server)
    var weighted = ServiceModel(.destinationHashing, boundWith: "A9 B5 C1")
    #expect(weighted.connect(flow) == server, "weights do not matter")
    weighted.edit("A", weight: 3)
    #expect(weighted.connect(flow) == server, "neither do their edits")
  }

  @Test func bucketsAreDealtOutInTurn() throws {
    let servers = (0..<3).map { _ in HashedServer(weight: 1, lastWeight: 1, addressFold: 0, port: 0) }
    let table = try #require(Scheduler.destinationHashing.makeTable { servers })
    #expect(table.count == 256)
    #expect(table.indices.allSatisfy { Int(table[$0]) == $0 % 3 })
    let empty = try #require(Scheduler.destinationHashing.makeTable { [] })
    #expect(empty.allSatisfy { $0 == RealServerSet.emptyBucket })
  }

  @Test func thereIsNoSubstitute() {
    let flow = ScheduledFlow(to: 0xcb00_7150)
    var service = ServiceModel(.destinationHashing, boundWith: "A1 B1 C1")
    service.overload("B")
    #expect(service.connect(flow) == nil)
    service.overload("B", false)
    service.edit("B", weight: 0)
    #expect(service.connect(flow) == nil)
    service.edit("B", weight: 1)
    #expect(service.connect(flow) == "B")
    service.remove("B")
    #expect(service.connect(flow) == "C", "bucket 94 of C A C A …")
  }
}
