import Scheduler
import Testing

struct LeastConnectionTests {
  struct Row: CustomTestStringConvertible {
    let testDescription: String
    let servers: String
    let picks: String
  }

  static let rows = [
    Row(testDescription: "equal", servers: "A1 B1 C1", picks: "C B A C B A C"),
    Row(testDescription: "weight counts as zero or not", servers: "A9 B1 C0", picks: "B A B A B"),
    Row(testDescription: "all quiescent", servers: "A0 B0", picks: "- -"),
    Row(testDescription: "no servers", servers: "", picks: "-"),
  ]

  @Test(arguments: rows) func vectors(row: Row) {
    var service = ServiceModel(.leastConnection, boundWith: row.servers)
    #expect(service.picks(row.picks.split(separator: " ").count) == row.picks)
  }

  @Test func oneActiveWeighsAs256Inactive() {
    var service = ServiceModel(.leastConnection, boundWith: "A1 B1")
    service.load("B", inactive: 257)
    service.load("A", active: 1)
    #expect(service.picks(1) == "A")
    service.load("B", inactive: 256)
    service.load("A", active: 1)
    #expect(service.picks(1) == "B", "a tie goes to the first in the list")
  }

  @Test func overloadAndRemoval() {
    var service = ServiceModel(.leastConnection, boundWith: "A1 B1 C1")
    service.overload("C")
    #expect(service.picks(3) == "B A B")
    service.remove("B")
    #expect(service.picks(2) == "A A")
    service.overload("A")
    #expect(service.picks(1) == "-")
    service.overload("C", false)
    service.load("A", active: 0xffff_fffe, inactive: UInt64(UInt32.max))
    service.load("C", active: 0xffff_fffe, inactive: UInt64(UInt32.max) - 1)
    service.overload("A", false)
    #expect(service.picks(1) == "C", "the largest counts still compare")
  }
}
