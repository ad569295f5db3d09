import Glibc
import Kernel
import Synchronization
import Testing
import Wire

@testable import Lab

@Suite struct SegmentLimitTests {
  @Test(arguments: [
    ("IPv4 in IPv4", 1500, IPAddress.Family.ipv4, ["10.0.0.1"], 1440),
    ("IPv6 in IPv4", 1500, .ipv6, ["10.0.0.1"], 1420), ("IPv4 in IPv6", 1500, .ipv4, ["2001:db8::1"], 1420),
    ("IPv6 in IPv6", 1500, .ipv6, ["2001:db8::1"], 1400), ("either outside", 9000, .ipv4, ["10.0.0.1", "::1"], 8920),
  ])
  func limit(_ row: (name: String, mtu: Int, vip: IPAddress.Family, endpoints: [String], expected: Int)) {
    let endpoints = row.endpoints.map { IPAddress($0)! }
    #expect(RealServerHost.segmentLimit(mtu: row.mtu, vip: row.vip, endpoints: endpoints) == row.expected)
  }
}

@Suite(.enabled(if: RealServerSandbox.isAvailable, "needs root and the ip command"), .serialized)
struct RealServerTunnelTests {
  /// From the first line of setup to a request that arrives through the tunnel, and back again.
  @Test func setupAndUndo() {
    let failures = RealServerSandbox.run { sandbox in
      let path = "/tmp/lbd-realserver-test.\(getpid()).\(UInt32.random(in: 0 ... .max)).json"
      defer {
        unlink(path)
        unlink(path + ".lock")
      }
      let lines = Mutex<[String]>([])
      let host = RealServerHost(statePath: path) { line in lines.withLock { $0.append(line) } }
      sandbox.shell("ip route add default via 10.9.0.2; ip -6 route add default via 2001:db8::2")
      sandbox.shell("ip route add 10.60.0.0/16 via 10.9.0.2 advmss 1000 metric 5 proto static")
      sandbox.shell("echo 1 > /proc/sys/net/ipv4/conf/near/rp_filter")
      var network = try NetlinkSocket()
      let before = try network.routeRecords()
      let request = RealServerHost.Request(
        vips: [IPAddress("10.200.0.1")!], mode: .tun, advertisedMSS: 1300)

      do {
        try host.setup(request) { _ in throw SystemError("load the tunnel program", errno: EPERM) }
        sandbox.expect(false, "attached")
      } catch { sandbox.expect("\(error)".hasPrefix("cannot load the tunnel program: EPERM"), "\(error)") }
      do {
        try host.setup(request) { _ in }
        sandbox.expect(false, "nothing attached and nothing said")
      } catch { sandbox.expect("\(error)".contains("no program stayed on the interface"), "\(error)") }
      try host.undo()
      sandbox.expect(try SystemSetting.ipv4("near", "rp_filter").read() == "1", "rp_filter")
      sandbox.expect(try network.routeRecords() == before, "routes after a failed setup")

      let seen = Mutex<[String]>([])
      lines.withLock { $0 = [] }
      try host.setup(request) { decapsulation in
        seen.withLock { $0 = decapsulation.endpoints.map(\.description) + [decapsulation.interfaceName] }
        try decapsulation.attach()
      }
      sandbox.expect(seen.withLock { $0 } == ["10.9.0.1", "2001:db8::1", "near"], "\(seen.withLock { $0 })")
      let report = lines.withLock { $0 }
      for wanted in [
        "set net.ipv4.conf.near.rp_filter 1 -> 0", "add 10.200.0.1/32 to lo", "set route 0.0.0.0/0 advmss none -> 1300",
        "set route 10.60.0.0/16 advmss 1000 -> 1300", "set route 10.9.0.0/24 advmss none -> 1300",
      ] { sandbox.expect(report.contains(wanted), "\(wanted): \(report)") }
      lines.withLock { $0 = [] }
      try host.show()
      sandbox.expect(!lines.withLock { $0 }.contains { $0.contains("differs") }, "\(lines.withLock { $0 })")
      lines.withLock { $0 = [] }
      try host.setup(request) { _ in sandbox.expect(false, "attached again") }
      sandbox.expect(lines.withLock { $0 }.allSatisfy { $0.hasSuffix("already") }, "\(lines.withLock { $0 })")
      let listener = RealServerTunnelTests.listener("10.200.0.1")
      defer { close(listener) }
      RealServerTunnelTests.sendTunnelled(to: "10.9.0.1", vip: "10.200.0.1", sandbox)
      sandbox.expect(RealServerTunnelTests.isHeard(listener), "the tunnelled request did not arrive")

      // Another list of endpoints is another program; the old one is replaced.
      let first = try network.link(named: "near")?.xdpProgramIdentifier
      var narrower = request
      narrower.endpoints = [IPAddress("2001:db8::1")!]
      try host.setup(narrower) { try $0.attach() }
      sandbox.expect(try network.link(named: "near")?.xdpProgramIdentifier != first, "not replaced")
      RealServerTunnelTests.sendTunnelled(to: "10.9.0.1", vip: "10.200.0.1", sandbox)
      sandbox.expect(!RealServerTunnelTests.isHeard(listener), "an endpoint that was taken away still works")

      try host.undo()
      sandbox.expect(try network.link(named: "near")?.xdpProgramIdentifier == nil, "the program stayed")
      let after = try network.routeRecords()
      sandbox.expect(Set(after) == Set(before), "\(after) was \(before)")
      sandbox.expect(try SystemSetting.ipv4("near", "rp_filter").read() == "1", "rp_filter")
    }
    #expect(failures == [])
  }

  /// The director's part: a request to the VIP inside a packet to `endpoint`, sent from the far namespace.
  private static func sendTunnelled(to endpoint: String, vip: String, _ sandbox: RealServerSandbox) {
    sandbox.enter(1)
    defer { sandbox.enter(0) }
    func header(_ protocolNumber: UInt8, _ source: String, _ destination: String, _ payload: [UInt8]) -> [UInt8] {
      let count = UInt16(20 + payload.count)
      let fixed: [UInt8] = [0x45, 0, UInt8(count >> 8), UInt8(count & 255), 0, 0, 0, 0, 64, protocolNumber]
      let addresses = IPAddress(source)!.bytes + IPAddress(destination)!.bytes
      let words = stride(from: 0, to: 10, by: 2).map { UInt32(fixed[$0]) << 8 | UInt32(fixed[$0 + 1]) }
      let others = stride(from: 0, to: 8, by: 2).map { UInt32(addresses[$0]) << 8 | UInt32(addresses[$0 + 1]) }
      var sum = (words + others).reduce(0, +)
      while sum > 0xffff { sum = (sum & 0xffff) + sum >> 16 }
      return fixed + [UInt8(~sum >> 8 & 255), UInt8(~sum & 255)] + addresses + payload
    }
    let datagram: [UInt8] = [0x30, 0x39, 0x13, 0x88, 0, 11, 0, 0] + Array("VIP".utf8)
    let packet = header(4, "10.9.0.2", endpoint, header(17, "198.51.100.7", vip, datagram))
    let sender = socket(AF_INET, Int32(SOCK_RAW.rawValue), 255)
    defer { close(sender) }
    var address = socketAddress(endpoint, port: 0)
    let sent = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(sender, packet, packet.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    sandbox.expect(sent == packet.count, "sendto: \(errno)")
  }

  private static func socketAddress(_ address: String, port: UInt16) -> sockaddr_in {
    var result = sockaddr_in()
    result.sin_family = sa_family_t(AF_INET)
    result.sin_port = port.bigEndian
    result.sin_addr.s_addr = IPAddress(address)!.v4.bigEndian
    return result
  }

  /// A UDP server on the VIP; it waits a second for its packet.
  private static func listener(_ vip: String) -> Int32 {
    let listener = socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    var patience = timeval(tv_sec: 1, tv_usec: 0)
    setsockopt(listener, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = socketAddress(vip, port: 5000)
    _ = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return listener
  }

  private static func isHeard(_ listener: Int32) -> Bool {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = recv(listener, &bytes, bytes.count, 0)
    return count == 3 && Array(bytes[..<3]) == Array("VIP".utf8)
  }
}
