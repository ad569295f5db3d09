import Glibc
import Testing
import Wire

@testable import Kernel

@Suite(.enabled(if: NetlinkSandbox.isAvailable, "needs root and the ip command"))
struct NetlinkSocketTests {
  @Test func lists() {
    let failures = NetlinkSandbox.run { sandbox in
      sandbox.shell(
        """
        ip route add 10.50.0.0/16 via 10.9.0.2 mtu 1300 metric 7
        ip route add 10.51.0.0/16 nexthop via 10.9.0.2 nexthop via 10.9.0.3
        ip route add 10.52.0.0/16 via inet6 2001:db8::2 dev near
        ip route add prohibit 10.53.0.0/16
        ip route add 10.54.0.0/16 via 10.9.0.2 table 1000
        ip neighbour add 10.9.0.3 lladdr 02:00:00:00:00:03 dev near
        ip neighbour add 2001:db8::3 lladdr 02:00:00:00:00:03 dev near router
        """)
      var socket = try NetlinkSocket()
      let links = try socket.links()
      guard let near = links.first(where: { $0.name == "near" }) else { return sandbox.expect(false, "\(links)") }
      sandbox.expect(links.contains { $0.name == "lo" && $0.isLoopback && $0.isUp }, "lo: \(links)")
      sandbox.expect(
        near.kind == "veth" && near.mtu == 1400 && near.isUp && near.isCarrierUp && near.receiveQueueCount == 2
          && near.transmitQueueCount == 3 && near.address == EthernetAddress("02:00:00:00:00:01")
          && near.parentIndex == nil && near.vlan == nil && near.xdpProgramIdentifier == nil, "\(near)")

      let addresses = try socket.addresses()
      for text in ["10.9.0.1/24", "2001:db8::1/64"] {
        sandbox.expect(
          addresses.contains { $0.prefix == IPPrefix(text) && $0.linkIndex == near.index && $0.scope == .universe },
          "\(text): \(addresses)")
      }
      sandbox.expect(addresses.contains { $0.prefix == IPPrefix("127.0.0.1/8") && $0.scope == .host }, "\(addresses)")

      let routes = try socket.routes()
      func has(_ text: String, _ test: (Route) -> Bool) {
        sandbox.expect(routes.contains { $0.destination == IPPrefix(text) && test($0) }, "\(text): \(routes)")
      }
      let gateway = IPAddress("10.9.0.2")
      has("10.50.0.0/16") { $0.gateway == gateway && $0.mtu == 1300 && $0.metric == 7 && $0.linkIndex == near.index }
      has("10.51.0.0/16") { $0.gateway == gateway && $0.isAlive }
      has("10.52.0.0/16") { $0.gateway == IPAddress("2001:db8::2") }
      has("10.53.0.0/16") { $0.kind == .prohibit && $0.linkIndex == nil }
      has("10.9.0.0/24") { $0.gateway == nil && $0.preferredSource == IPAddress("10.9.0.1") }
      has("10.9.0.1/32") { $0.kind == .local && $0.table == Route.localTable }
      has("2001:db8::/64") { $0.gateway == nil && $0.linkIndex == near.index }
      sandbox.expect(!routes.contains { $0.destination == IPPrefix("10.54.0.0/16") }, "table 1000")
      sandbox.expect(try socket.routes(inTables: [1000]).count == 1, "table 1000 alone")

      let neighbours = try socket.neighbours()
      sandbox.expect(
        neighbours.contains {
          $0.address == IPAddress("10.9.0.3") && $0.state == .permanent && !$0.isRouter && $0.state.isUsable
            && $0.linkAddress == EthernetAddress("02:00:00:00:00:03") && $0.linkIndex == near.index
        }, "\(neighbours)")
      sandbox.expect(neighbours.contains { $0.address == IPAddress("2001:db8::3") && $0.isRouter }, "\(neighbours)")
    }
    #expect(failures == [])
  }

  @Test func lookups() {
    let failures = NetlinkSandbox.run { sandbox in
      sandbox.shell(
        """
        ip route add 10.50.0.0/16 via 10.9.0.2
        ip route add blackhole 10.51.0.0/16
        ip -6 route add 2001:db8:5::/48 via 2001:db8::2
        """)
      var socket = try NetlinkSocket()
      let far = try socket.route(to: IPAddress("10.50.1.1")!)
      sandbox.expect(
        far.gateway == IPAddress("10.9.0.2") && far.preferredSource == IPAddress("10.9.0.1")
          && far.destination == IPPrefix("10.50.1.1") && far.table == Route.mainTable, "\(far)")
      let local = try socket.route(to: IPAddress("10.9.0.1")!)
      sandbox.expect(local.kind == .local, "\(local)")
      let six = try socket.route(to: IPAddress("2001:db8:5::1")!)
      sandbox.expect(six.gateway == IPAddress("2001:db8::2"), "\(six)")
      for (text, name) in [("10.60.0.1", "ENETUNREACH"), ("10.51.0.1", "EINVAL"), ("2001:db9::1", "ENETUNREACH")] {
        do {
          let route = try socket.route(to: IPAddress(text)!)
          sandbox.expect(false, "\(route)")
        } catch let error as SystemError {
          sandbox.expect(error.name == name, "\(error)")
        }
      }
    }
    #expect(failures == [])
  }

  @Test func addressesComeAndGo() {
    let failures = NetlinkSandbox.run { sandbox in
      var socket = try NetlinkSocket()
      guard let loopback = try socket.link(named: "lo") else { return sandbox.expect(false, "no lo") }
      sandbox.expect(try socket.link(named: "nothing") == nil, "nothing")
      for text in ["10.200.0.1/32", "2001:db8:200::1/128"] {
        let prefix = IPPrefix(text)!
        try socket.addAddress(
          prefix, linkIndex: loopback.index, scope: .host, label: "lo:lbd", isDeprecated: true)
        let added = try socket.addresses().first { $0.prefix == prefix }
        sandbox.expect(added?.isTentative == false && added?.linkIndex == loopback.index, "\(text): \(added as Any)")
        if prefix.address.family == .ipv6 { sandbox.expect(added?.isDeprecated == true, "deprecated") }
        do {
          try socket.addAddress(prefix, linkIndex: loopback.index)
          sandbox.expect(false, "added twice")
        } catch let error as SystemError {
          sandbox.expect(error.number == EEXIST, "\(error)")
        }
        try socket.removeAddress(prefix, linkIndex: loopback.index)
        sandbox.expect(try socket.addresses().allSatisfy { $0.prefix != prefix }, "still there")
      }
    }
    #expect(failures == [])
  }

  /// More than one datagram's worth, so that the list arrives in parts.
  @Test func longList() {
    let failures = NetlinkSandbox.run { sandbox in
      sandbox.shell(
        """
        seq 1 3000 | awk '{print "route add 10." 100 + int($1/250) "." $1%250 ".0/24 via 10.9.0.2"}' \\
          | ip -batch -
        """)
      var socket = try NetlinkSocket()
      for _ in 0..<3 {
        let count = try socket.routes().count { $0.gateway == IPAddress("10.9.0.2") }
        sandbox.expect(count == 3000, "\(count)")
      }
    }
    #expect(failures == [])
  }
}
