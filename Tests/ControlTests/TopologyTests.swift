import Dataplane
import Testing
import Wire

@testable import Control

/// Where packets go, by what is known of the network.
struct TopologyTests {
  /// What is asked, and what the next hop must be.
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let address: String
    var vlan: UInt16?
    var state: NextHop.State = .resolved
    var destination = ""
    var interface: UInt8 = 0
    var mtu: UInt16 = 0
    var tag: UInt16 = 0
    /// The station that has to be asked for.
    var missing: String?
  }

  static let rows = [
    Row(
      testDescription: "on link", address: "10.2.0.11", destination: "02:00:00:00:02:0b", interface: 1, mtu: 1400),
    Row(
      testDescription: "on link, neighbour not known", address: "10.2.0.12", state: .unresolved, interface: 1,
      missing: "10.2.0.12"),
    Row(
      testDescription: "default gateway", address: "192.0.2.1", destination: "02:00:00:00:01:fe", mtu: 1500),
    Row(
      testDescription: "gateway", address: "10.3.0.9", destination: "02:00:00:00:02:fe", interface: 1, mtu: 1400),
    Row(
      testDescription: "longest prefix and the route's MTU", address: "10.3.1.9", destination: "02:00:00:00:02:fd",
      interface: 1, mtu: 1300),
    Row(
      testDescription: "VLAN interface", address: "10.7.0.11", destination: "02:00:00:00:07:0b", interface: 1,
      mtu: 1400,
      tag: 7),
    Row(
      testDescription: "VLAN by configuration", address: "10.2.0.11", vlan: 9, destination: "02:00:00:00:02:0b",
      interface: 1, mtu: 1400, tag: 9),
    Row(
      testDescription: "VLAN by configuration instead of the interface's", address: "10.7.0.11", vlan: 9,
      destination: "02:00:00:00:07:0b", interface: 1, mtu: 1400, tag: 9),
    Row(testDescription: "own address", address: "10.2.0.1", state: .local, interface: 254),
    Row(testDescription: "own host address", address: "10.1.0.100", state: .local, interface: 254),
    Row(
      testDescription: "IPv6 on link", address: "fd00:2::11", destination: "02:00:00:00:02:0b", interface: 1, mtu: 1400),
    Row(
      testDescription: "IPv6 by a link-local gateway", address: "fd00:3::9", destination: "02:00:00:00:02:fe",
      interface: 1, mtu: 1400),
    Row(testDescription: "IPv6 without a route", address: "2001:db8::1", state: .unreachable),
  ]

  @Test(arguments: rows) func packetGoesWhereTheRoutesSay(row: Row) {
    let found = Samples.ports.resolve(Samples.address(row.address), in: Samples.network, vlan: row.vlan)
    #expect(found.hop.state == row.state)
    #expect(found.hop.interface == row.interface)
    #expect(found.missing?.address == row.missing.map(Samples.address))
    guard row.state == .resolved else { return }
    #expect(EthernetAddress(found.hop.destination).description == row.destination)
    #expect(found.hop.mtu == row.mtu)
    #expect(found.hop.vlan == row.tag)
    #expect(EthernetAddress(found.hop.source) == Samples.network.links[row.interface == 0 ? 1 : 2]?.address)
  }

  @Test func lowerMetricWins() {
    var topology = Samples.network
    let prefix = IPPrefix("10.9.0.0/16")!
    for (metric, gateway) in [(200, "10.2.0.254"), (100, "10.2.0.253"), (100, "10.2.0.11")] {
      topology.routes.append(
        .init(prefix: prefix, gateway: Samples.address(gateway), link: 2, metric: UInt32(metric)))
    }
    #expect(topology.route(to: Samples.address("10.9.1.1"))?.gateway == Samples.address("10.2.0.253"))
  }

  @Test func refusingRouteIsUnreachable() {
    var topology = Samples.network
    topology.routes.append(.init(prefix: IPPrefix("10.2.0.11/32")!, link: nil))
    #expect(Samples.ports.resolve(Samples.address("10.2.0.11"), in: topology).hop.state == .unreachable)
  }

  @Test func linkThatIsDownHasNoNeighboursToAsk() {
    var topology = Samples.network
    topology.links[2]?.isUp = false
    let found = Samples.ports.resolve(Samples.address("10.2.0.11"), in: topology)
    #expect(found.hop.state == .unresolved && found.missing == nil)
  }

  @Test func interfaceOfSomeoneElseIsUnreachable() {
    let found = PortMap(links: [1]).resolve(Samples.address("10.2.0.11"), in: Samples.network)
    #expect(found.hop.state == .unreachable && found.missing == nil)
  }

  /// (towards, the source this host uses).
  static let sources = [
    ("10.2.0.11", "10.2.0.1"), ("10.7.0.11", "10.7.0.1"), ("192.0.2.1", "10.1.0.1"), ("10.3.0.9", "10.1.0.100"),
    ("10.3.1.9", "10.2.0.1"), ("fd00:2::11", "fd00:2::1"), ("fd00:3::9", "fd00:2::1"),
  ]

  @Test(arguments: sources) func sourceIsTheRoutesOrOnLink(target: String, source: String) throws {
    let address = Samples.address(target)
    let route = try #require(Samples.network.route(to: address))
    #expect(Samples.network.source(for: address, over: route) == Samples.address(source))
  }
}
