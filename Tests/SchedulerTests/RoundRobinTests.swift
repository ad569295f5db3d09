import Testing

@testable import Scheduler

struct RoundRobinTests {
  @Test func everybodyInTurnNewestFirst() {
    var service = ServiceModel(.roundRobin, boundWith: "A1 B1 C1")
    #expect(service.picks(7) == "C B A C B A C")
  }

  @Test func weightsDoNotMatter() {
    var service = ServiceModel(.roundRobin, boundWith: "A7 B1 C300")
    #expect(service.picks(6) == "C B A C B A")
  }

  @Test func quiescentServerIsLeftOut() {
    var service = ServiceModel(.roundRobin, boundWith: "A1 B1 C1")
    _ = service.picks(7)
    service.edit("B", weight: 0)
    #expect(service.picks(4) == "A C A C")
  }

  @Test func overloadedServerIsLeftOutWhileItIs() {
    var service = ServiceModel(.roundRobin, boundWith: "A1 B1 C1")
    service.overload("C")
    #expect(service.picks(3) == "B A B")
    service.overload("C", false)
    #expect(service.picks(3) == "A C B")
  }

  @Test func removedCursorHandsOverToItsPredecessor() {
    var service = ServiceModel(.roundRobin, boundWith: "A1 B1 C1")
    #expect(service.picks(2) == "C B")
    service.remove("B")
    #expect(service.picks(3) == "A C A")
  }

  @Test func removedFirstServerLeavesTheCursorAtTheHead() {
    var service = ServiceModel(.roundRobin, boundWith: "A1 B1 C1")
    #expect(service.picks(1) == "C")
    service.remove("C")
    #expect(service.state.cursor == nil)
    #expect(service.picks(3) == "B A B")
  }

  @Test func removalOfAnotherServerDoesNotDisturb() {
    var service = ServiceModel(.roundRobin, boundWith: "A1 B1 C1 D1")
    #expect(service.picks(2) == "D C")
    service.remove("D")
    #expect(service.picks(4) == "B A C B")
  }

  @Test func addedServerIsMetAtTheNextWrap() {
    var service = ServiceModel(.roundRobin, boundWith: "A1 B1 C1")
    #expect(service.picks(2) == "C B")
    service.add("D", weight: 1)
    #expect(service.picks(5) == "A D C B A")
  }

  @Test func onlyTheCursorServerIsLeft() {
    var service = ServiceModel(.roundRobin, boundWith: "A1 B1 C1")
    #expect(service.picks(2) == "C B")
    service.edit("A", weight: 0)
    service.edit("C", weight: 0)
    #expect(service.picks(3) == "B B B")
  }

  @Test func nobodyLeavesTheStateAlone() {
    var service = ServiceModel(.roundRobin, boundWith: "A1 B1 C1")
    #expect(service.picks(2) == "C B")
    let before = service.state
    for name in ["A", "B", "C"] { service.overload(name) }
    #expect(service.picks(2) == "- -")
    #expect(service.state == before)
    var empty = ServiceModel(.roundRobin)
    #expect(empty.picks(2) == "- -")
  }

  @Test func wordOfAnotherListStartsAtTheHead() {
    var service = ServiceModel(.roundRobin, boundWith: "A1 B1 C1")
    service.state = SchedulerState(word: 0xffff_ffff_ffff_ff00)
    #expect(service.picks(3) == "C B A")
  }

  @Test func bindingAgainStartsOver() {
    var service = ServiceModel(.roundRobin, boundWith: "A1 B1 C1")
    _ = service.picks(2)
    service.state = service.withServers {
      Scheduler.roundRobin.serversChanged(service.state, servers: $0, change: .bound)
    }
    #expect(service.picks(1) == "C")
  }
}
