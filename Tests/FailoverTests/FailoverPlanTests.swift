import Testing
import VRRP
import Wire

@testable import Failover

struct FailoverPlanTests {
  @Test func equalPlansAreEqual() throws {
    let source = try #require(IPAddress("192.0.2.1"))
    let definition = InstanceDefinition(
      name: "VI_1", virtualRouter: 51, version: .two, source: source, addresses: [])
    var plan = FailoverPlan()
    plan.instances = [FailoverInstance(definition, interface: "eth0")]
    var other = plan
    #expect(plan == other)
    other.instances[0].tracksSource = true
    #expect(plan != other)
  }
}
