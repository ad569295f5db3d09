import Glibc
import Testing
import Wire

@testable import Kernel

/// Reads events until one fits or three seconds have passed.
private func wait(
  _ monitor: inout NetlinkMonitor, for isWanted: (NetlinkEvent) -> Bool
) throws -> (found: Bool, all: [NetlinkEvent]) {
  var all: [NetlinkEvent] = []
  for _ in 0..<30 {
    let events = try monitor.drain()
    all += events
    if events.contains(where: isWanted) { return (true, all) }
    var request = pollfd(fd: monitor.descriptor, events: Int16(POLLIN), revents: 0)
    _ = poll(&request, 1, 100)
  }
  return (false, all)
}

@Suite(.enabled(if: NetlinkSandbox.isAvailable, "needs root and the ip command"))
struct NetlinkMonitorTests {
  /// The kernel asks, the other namespace answers, the answer is an event: no packet of ours is involved.
  @Test(arguments: ["10.9.0.2", "2001:db8::2"])
  func solicitation(_ text: String) {
    let failures = NetlinkSandbox.run { sandbox in
      let address = IPAddress(text)!
      var monitor = try NetlinkMonitor()
      var socket = try NetlinkSocket()
      guard let near = try socket.link(named: "near") else { return sandbox.expect(false, "no near") }
      sandbox.expect(try socket.neighbours().allSatisfy { $0.address != address }, "known before")
      try socket.solicit(neighbour: address, linkIndex: near.index)
      let outcome = try wait(&monitor) {
        guard case .neighbour(.added, let neighbour) = $0 else { return false }
        return neighbour.address == address && neighbour.state == .reachable && neighbour.linkIndex == near.index
          && neighbour.linkAddress == EthernetAddress("02:00:00:00:00:02")
      }
      sandbox.expect(outcome.found, "\(outcome.all)")
    }
    #expect(failures == [])
  }

  @Test func changes() {
    let failures = NetlinkSandbox.run { sandbox in
      var monitor = try NetlinkMonitor()
      sandbox.expect(try monitor.drain().isEmpty, "quiet at first")
      sandbox.shell("ip route add 10.50.0.0/16 via 10.9.0.2; ip address add 10.8.0.1/24 dev near")
      sandbox.shell("ip address del 10.8.0.1/24 dev near; ip route del 10.50.0.0/16; ip link set near mtu 1300")
      sandbox.shell("ip -6 route add blackhole 2001:db8:5::/48; ip link set near down; ip link del near")
      let outcome = try wait(&monitor) {
        guard case .link(.removed, let link) = $0 else { return false }
        return link.name == "near"
      }
      sandbox.expect(outcome.found, "link removed: \(outcome.all)")
      let events = outcome.all
      func has(_ what: String, _ test: (NetlinkEvent) -> Bool) {
        sandbox.expect(events.contains(where: test), "\(what): \(events)")
      }
      for change in [NetlinkEvent.Change.added, .removed] {
        has("route \(change)") {
          if case .route(change, let route) = $0 { route.destination == IPPrefix("10.50.0.0/16") } else { false }
        }
        has("address \(change)") {
          if case .address(change, let address) = $0 { address.prefix == IPPrefix("10.8.0.1/24") } else { false }
        }
      }
      has("IPv6 route") {
        if case .route(.added, let route) = $0 { route.kind == .blackhole && route.table == 254 } else { false }
      }
      has("mtu") { if case .link(.added, let link) = $0 { link.mtu == 1300 } else { false } }
      has("down") { if case .link(.added, let link) = $0 { link.name == "near" && !link.isUp } else { false } }
    }
    #expect(failures == [])
  }

  @Test func overrun() {
    let failures = NetlinkSandbox.run { sandbox in
      var monitor = try NetlinkMonitor(receiveByteCount: 4096)
      sandbox.shell("seq 1 200 | awk '{print \"address add 10.77.0.\" $1 \"/32 dev near\"}' | ip -batch -")
      let events = try monitor.drain()
      sandbox.expect(events.contains(.overrun), "\(events.count) events")
      sandbox.expect(try monitor.drain().isEmpty, "drained")
      sandbox.shell("ip address del 10.77.0.1/32 dev near")
      sandbox.expect(try !monitor.drain().isEmpty, "alive after the overrun")
    }
    #expect(failures == [])
  }
}
