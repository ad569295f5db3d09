import Config
import Testing
import Wire

@testable import Control

/// `ip` lines change a topology as they change a kernel.
struct TopologyEditorTests {
  private func refusal(_ line: String, in topology: inout Topology) throws -> String? {
    for edit in try TopologyText.parse(line: line).get() {
      if let refusal = topology.apply(edit) { return refusal }
    }
    return nil
  }

  static let refused = [
    ("ip addr add 10.9.0.1/24 dev eth9", "no interface eth9"),
    ("ip addr del 10.9.0.1/24 dev eth9", "no interface eth9"),
    ("ip link del eth9", "no interface eth9"),
    ("ip link add link eth9 name eth9.1 type vlan id 1", "no interface eth9"),
    ("ip neigh replace 10.9.0.1 lladdr 02:00:00:00:00:01 dev eth9", "no interface eth9"),
    ("ip neigh del 10.9.0.1 dev eth9", "no interface eth9"),
    ("ip route add 10.9.0.0/16 dev eth9", "no interface eth9"),
    ("ip -6 route add default via 2001:db8::1", "gateway 2001:db8::1 cannot be reached directly"),
  ]

  @Test(arguments: refused) func impossibleEditSaysWhy(line: String, reason: String) throws {
    var topology = Samples.network
    #expect(try refusal(line, in: &topology) == reason)
    #expect(topology == Samples.network)
  }

  @Test func linkKeepsWhatIsNotSet() throws {
    var topology = Samples.network
    #expect(try refusal("ip link set eth1 mtu 9000", in: &topology) == nil)
    #expect(topology.links[2]?.mtu == 9000 && topology.links[2]?.address == Samples.network.links[2]?.address)
    #expect(topology.links[2]?.isUp == true)
    #expect(try refusal("ip link set eth1 down", in: &topology) == nil)
    #expect(topology.links[2]?.isUp == false && topology.links[2]?.mtu == 9000)
  }

  @Test func vlanInheritsAddressAndMTU() {
    let link = Samples.network.link(named: "eth1.7")
    #expect(link?.address == Samples.network.links[2]?.address && link?.mtu == 1400)
    #expect(link?.vlan?.parent == 2 && link?.vlan?.tag == 7)
  }

  @Test func removedLinkTakesEverythingAlong() throws {
    var topology = Samples.network
    #expect(try refusal("ip link del eth1", in: &topology) == nil)
    #expect(topology.links.keys.sorted() == [1])
    #expect(topology.addresses.allSatisfy { $0.link == 1 })
    #expect(topology.routes.allSatisfy { $0.link == 1 })
    #expect(topology.neighbours.keys.allSatisfy { $0.link == 1 })
  }

  @Test func laterRouteToAPrefixReplaces() throws {
    var topology = Samples.network
    #expect(try refusal("ip route replace default via 10.2.0.254", in: &topology) == nil)
    #expect(topology.route(to: Samples.address("192.0.2.1"))?.gateway == Samples.address("10.2.0.254"))
    #expect(try refusal("ip route del default", in: &topology) == nil)
    #expect(topology.route(to: Samples.address("192.0.2.1")) == nil)
  }

  @Test func routeIsRemovedByWhatIsNamed() throws {
    var topology = Samples.network
    #expect(try refusal("ip route del 10.3.0.0/16 via 10.2.0.9", in: &topology) == nil)
    #expect(try refusal("ip route del 10.3.0.0/16 dev eth0", in: &topology) == nil)
    #expect(topology == Samples.network)
    #expect(try refusal("ip route del 10.3.0.0/16 via 10.2.0.254 dev eth1", in: &topology) == nil)
    #expect(topology.routes.count == Samples.network.routes.count - 1)
  }

  @Test func addressesAndNeighboursComeAndGo() throws {
    var topology = Samples.network
    for _ in 0..<2 { #expect(try refusal("ip addr add 10.1.0.101/32 dev eth0", in: &topology) == nil) }
    #expect(topology.addresses.count == Samples.network.addresses.count + 1)
    #expect(topology.isLocal(Samples.address("10.1.0.101")))
    #expect(try refusal("ip addr del 10.1.0.101/32 dev eth0", in: &topology) == nil)
    #expect(try refusal("ip neigh replace 10.2.0.77 lladdr 02:00:00:00:02:4d dev eth1", in: &topology) == nil)
    #expect(topology.neighbours[.init(address: Samples.address("10.2.0.77"), link: 2)] != nil)
    #expect(try refusal("ip neigh del 10.2.0.77 dev eth1", in: &topology) == nil)
    #expect(topology == Samples.network)
  }

  @Test func settingsChangeNothingHere() throws {
    var topology = Samples.network
    #expect(try refusal("sysctl -w net.ipv4.ip_forward=1", in: &topology) == nil)
    #expect(topology == Samples.network)
  }
}
