import Testing

@testable import Scheduler

struct LocalityLeastConnectionTests {
  private let day: UInt32 = 86_400

  @Test func vector() {
    var service = ServiceModel(.localityLeastConnection, boundWith: "A1 B1")
    #expect(service.picks(6) == "B B A A A A")
  }

  @Test func withoutACacheItIsWeightedLeastConnection() {
    let service = ServiceModel(.weightedLeastConnection, boundWith: "A3 B2 C1")
    let flow = ScheduledFlow(clientFold: 0)
    #expect(service.withServers { LocalityLeastConnection.pick(from: $0, flow: flow) } == 0)
    #expect(service.withServers { ReplicatedLocality.pick(from: $0, flow: flow) } == 0)
  }

  @Test func destinationsKeepTheirServers() {
    var service = ServiceModel(.localityLeastConnection, boundWith: "A9 B9 C9")
    for destination in 1...9 as ClosedRange<UInt32> {
      let name = service.connect(ScheduledFlow(to: destination))
      #expect(service.connect(ScheduledFlow(to: destination)) == name)
    }
    #expect(service.servers.map { service.connections[Int($0.identifier)] >> 32 } == [6, 6, 6])
  }

  @Test func ipv6DestinationsThatFoldAlikeAreTwo() {
    var service = ServiceModel(.localityLeastConnection, boundWith: "A9 B9")
    let one = ScheduledFlow(clientFold: 0, destinationFold: 3, destinationHigh: 1, destinationLow: 2)
    let other = ScheduledFlow(clientFold: 0, destinationFold: 3, destinationHigh: 2, destinationLow: 1)
    #expect([one, other, one, other].map { service.connect($0)! } == ["B", "A", "B", "A"])
  }

  @Test func quiescentOrRemovedServerIsLeft() {
    var service = ServiceModel(.localityLeastConnection, boundWith: "A9 B9")
    #expect(service.picks(2) == "B B")
    service.edit("B", weight: 0)
    #expect(service.picks(2) == "A A")
    service.edit("B", weight: 9)
    #expect(service.picks(1) == "A", "the destination has moved")
    service.remove("A")
    #expect(service.picks(1) == "B")
    service.remove("B")
    #expect(service.picks(1) == "-")
  }

  @Test func removedServerThatComesBackIsKnownAgain() {
    var service = ServiceModel(.localityLeastConnection, boundWith: "A9 B9")
    #expect(service.picks(1) == "B")
    service.remove("B")
    service.add("B", weight: 9)
    service.load("B", active: 3)
    #expect(service.picks(1) == "B", "with another number")
  }

  @Test func thresholdOfACachedServerIsNotLookedAt() {
    var service = ServiceModel(.localityLeastConnection, boundWith: "A9 B9")
    #expect(service.picks(1) == "B")
    service.overload("B")
    #expect(service.picks(1) == "B")
    #expect(service.connect(ScheduledFlow(to: 7)) == "A")
  }

  @Test func bindingForgets() {
    let service = ServiceModel(.localityLeastConnection, boundWith: "A9 B9")
    var other = service
    #expect(other.picks(2) == "B B")
    service.memory?.cache.clear()
    #expect(other.picks(1) == "A")
  }

  @Test func unusedDestinationIsForgottenAfterADay() throws {
    var service = ServiceModel(.localityLeastConnection, boundWith: "A9 B9")
    let cache = try #require(service.memory?.cache)
    #expect(!cache.sweep(seconds: 0, buckets: 1))
    #expect(service.connect(ScheduledFlow(to: 1, seconds: 0)) == "B")
    _ = service.connect(ScheduledFlow(to: 2, seconds: 3600))
    while cache.sweep(seconds: UInt64(day) - 1, buckets: 64) {}
    #expect(cache.count == 2)
    while cache.sweep(seconds: UInt64(day), buckets: 64) {}
    #expect(cache.count == 1, "86400 is a multiple of 30 minutes")
    while cache.sweep(seconds: UInt64(day) + 3600, buckets: 64) {}
    #expect(cache.count == 0)
  }
}
