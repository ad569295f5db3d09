import Glibc
import Testing

@testable import Kernel

@Suite(.enabled(if: DeviceSandbox.isAvailable, "needs the privilege to make network namespaces"))
struct OffloadsTests {
  @Test func mergingIsTurnedOffAndPutBack() throws {
    let (before, change, during, again, after) = try DeviceSandbox.run {
      guard system("ip link add left type veth peer name right && ethtool -K left gro on >/dev/null") == 0 else {
        throw SystemError("make pair", errno: EIO)
      }
      let before = try Offloads(reading: "left")
      let change = try Offloads.disableMerging(of: "left")
      let during = try Offloads(reading: "left")
      let again = try Offloads.disableMerging(of: "left")
      try change.undo()
      return (before, change, during, again, try Offloads(reading: "left"))
    }
    #expect(before.mergesOnReceive && before.checksumsOnTransmit && before.segmentsOnTransmit)
    #expect(change.description == "turned off GRO of left")
    #expect(!during.mergesOnReceive)
    #expect(again.isEmpty && again.description == "left the offloads of left alone")
    #expect(after == before)
  }

  @Test func missingInterface() {
    let error = #expect(throws: SystemError.self) { _ = try Offloads(reading: "nosuch0") }
    #expect(error?.description == "cannot read offloads of nosuch0: ENODEV (No such device)")
  }
}
