import Testing

@testable import Dataplane

struct HelperPortsTests {
  @Test(arguments: [
    ("none", [], [], [0, 21]), ("one", [21], [21], [0, 20, 22]), ("0 is none", [0, 21], [21], [0]),
    ("the first eight", [1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 8], [0, 9]), ("the last port", [65535], [65535], [0, 1]),
  ])
  func portsAreThoseOfTheList(name: String, list: [UInt16], has: [UInt16], hasNot: [UInt16]) {
    let ports = HelperPorts(list)
    #expect(has.allSatisfy(ports.contains), "\(name)")
    #expect(!hasNot.contains(where: ports.contains), "\(name)")
    #expect(ports.isEmpty == has.isEmpty, "\(name)")
  }
}
