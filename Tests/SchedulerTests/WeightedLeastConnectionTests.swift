import Scheduler
import Testing

struct WeightedLeastConnectionTests {
  static let sequence = "C B A A B A C B A A B A"

  @Test(arguments: [ModelProtocol.tcp, .udp]) func vector(kind: ModelProtocol) {
    var service = ServiceModel(.weightedLeastConnection, boundWith: "A3 B2 C1")
    #expect(service.picks(12, as: kind) == WeightedLeastConnectionTests.sequence)
  }

  @Test func inactiveConnectionsCountLittle() {
    var service = ServiceModel(.weightedLeastConnection, boundWith: "A1 B1")
    service.load("B", inactive: 300)
    service.load("A", active: 1)
    #expect(service.picks(1) == "A")
  }

  @Test func withoutLoadTheNewestWinsNotTheHeaviest() {
    var service = ServiceModel(.weightedLeastConnection, boundWith: "A100 B1")
    #expect(service.picks(3) == "B A A")
  }

  @Test func quiescentServerNeverWins() {
    var service = ServiceModel(.weightedLeastConnection, boundWith: "A1 B0 C2")
    service.load("A", active: 1000)
    service.load("C", active: 5000)
    #expect(service.picks(2) == "A A")
    service.edit("A", weight: 0)
    #expect(service.picks(2) == "C C")
    service.edit("C", weight: 0)
    #expect(service.picks(1) == "-")
    service.edit("B", weight: 1)
    #expect(service.picks(1) == "B")
  }

  @Test func overloadedServerIsLeftOut() {
    var service = ServiceModel(.weightedLeastConnection, boundWith: "A3 B2 C1")
    service.overload("C")
    #expect(service.picks(5) == "B A A B A")
  }

  @Test func productsWiderThan64BitsCompareExactly() {
    var service = ServiceModel(.weightedLeastConnection, boundWith: "A2147483647 B2147483646")
    service.load("A", active: 0xffff_fffe)
    service.load("B", active: 0xffff_fffe)
    #expect(service.connect() == "A")
    service.load("A", active: 0xffff_fffe)
    service.load("B", active: 0xffff_fffd)
    #expect(service.picks(1) == "A", "4294967294/2147483647 = 2, 4294967293/2147483646 > 2")
  }
}
