import Scheduler
import Testing

/// The schedulers that look at active connections alone: sed, nq, ovf; and fo, which looks at none.
struct ActiveConnectionTests {
  struct Row: CustomTestStringConvertible {
    let scheduler: Scheduler
    let servers: String
    var kind = ModelProtocol.tcp
    let picks: String

    var testDescription: String { "\(scheduler.name) \(servers) \(kind)" }
  }

  static let rows = [
    Row(scheduler: .shortestExpectedDelay, servers: "A3 B2 C1", picks: "A B A C B A A B A C B A"),
    Row(scheduler: .shortestExpectedDelay, servers: "A1 B2 C3", picks: "C B C C B A C B C C B A"),
    Row(scheduler: .shortestExpectedDelay, servers: "A3 B2 C1", kind: .udp, picks: "A A A A"),
    Row(scheduler: .shortestExpectedDelay, servers: "A0 B0", picks: "-"),
    Row(scheduler: .neverQueue, servers: "A3 B2 C1", picks: "C B A A B A A B A C B A"),
    Row(scheduler: .neverQueue, servers: "A3 B2 C1", kind: .udp, picks: "C C C C"),
    Row(scheduler: .neverQueue, servers: "A3 B2 C0", kind: .udp, picks: "B B"),
    Row(scheduler: .neverQueue, servers: "A0 B0", picks: "-"),
    Row(scheduler: .weightedFailover, servers: "A5 B9 C9", picks: "C C C C"),
    Row(scheduler: .weightedFailover, servers: "A5 B9 C8", picks: "B B"),
    Row(scheduler: .weightedFailover, servers: "A0 B0", picks: "-"),
    Row(scheduler: .weightedOverflow, servers: "A3 B2 C1", picks: "A A A A B B B C C -"),
    Row(scheduler: .weightedOverflow, servers: "A3 B2 C1", kind: .udp, picks: "A A A A A A"),
    Row(scheduler: .weightedOverflow, servers: "A2 B2", picks: "B B B A A A -"),
    Row(scheduler: .weightedOverflow, servers: "A0 B0", picks: "-"),
    Row(scheduler: .nobody, servers: "A3 B2 C1", picks: "- -"),
  ]

  @Test(arguments: rows) func vectors(row: Row) {
    var service = ServiceModel(row.scheduler, boundWith: row.servers)
    #expect(service.picks(row.picks.split(separator: " ").count, as: row.kind) == row.picks)
    var empty = ServiceModel(row.scheduler)
    #expect(empty.picks(1) == "-")
  }

  @Test(arguments: [Scheduler.shortestExpectedDelay, .neverQueue, .weightedFailover, .weightedOverflow])
  func overloadedServerIsLeftOut(scheduler: Scheduler) {
    var service = ServiceModel(scheduler, boundWith: "A9 B2")
    service.load("B", active: 1)
    #expect(service.picks(1) == "A")
    service.overload("A")
    #expect(service.picks(1) == "B")
    service.overload("B")
    #expect(service.picks(1) == "-")
    service.overload("A", false)
    #expect(service.picks(1) == "A")
  }

  @Test func failoverComesBack() {
    var service = ServiceModel(.weightedFailover, boundWith: "A9 B5")
    service.edit("A", weight: 0)
    #expect(service.picks(2) == "B B")
    service.edit("A", weight: 9)
    #expect(service.picks(2) == "A A")
  }

  @Test func overflowFlowsBackWhenConnectionsEnd() {
    var service = ServiceModel(.weightedOverflow, boundWith: "A2 B1")
    #expect(service.picks(4) == "A A A B")
    service.finish("A")
    #expect(service.picks(2) == "A B")
  }

  @Test func inactiveConnectionsDoNotCount() {
    var service = ServiceModel(.shortestExpectedDelay, boundWith: "A1 B1")
    service.load("B", inactive: 5000)
    #expect(service.picks(1) == "B")
    var queue = ServiceModel(.neverQueue, boundWith: "A9 B1")
    queue.load("B", inactive: 5000)
    #expect(queue.picks(1) == "B")
  }

  @Test func widestNumbersCompareExactly() {
    var service = ServiceModel(.shortestExpectedDelay, boundWith: "A2147483647 B2147483646")
    service.load("A", active: 0xffff_fffe)
    service.load("B", active: 0xffff_fffd)
    #expect(service.picks(1) == "A", "4294967295/2147483647 < 4294967294/2147483646")
  }
}
