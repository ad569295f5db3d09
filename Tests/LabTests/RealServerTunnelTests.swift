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
  /// With the ip command's own do-nothing program where the tunnel program will be.
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

      guard RealServerTunnelTests.canAttach(sandbox) else { return }
      let seen = Mutex<[String]>([])
      lines.withLock { $0 = [] }
      try host.setup(request) { decapsulation in
        seen.withLock { $0 = decapsulation.endpoints.map(\.description) + [decapsulation.interfaceName] }
        RealServerTunnelTests.attach(sandbox)
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
      try host.undo()
      sandbox.expect(try network.link(named: "near")?.xdpProgramIdentifier == nil, "the program stayed")
      let after = try network.routeRecords()
      sandbox.expect(Set(after) == Set(before), "\(after) was \(before)")
      sandbox.expect(try SystemSetting.ipv4("near", "rp_filter").read() == "1", "rp_filter")
    }
    #expect(failures == [])
  }

  private static let object = "/tmp/lbd-realserver-test.\(getpid()).o"

  private static func canAttach(_ sandbox: RealServerSandbox) -> Bool {
    sandbox.shell(
      """
      command -v clang >/dev/null || exit 0
      printf '%s' '__attribute__((section("xdp"),used)) int pass(void *context) { return 2; }' \
        | clang -O2 -target bpf -x c -c -o \(object) - || true
      """)
    return access(object, R_OK) == 0
  }

  private static func attach(_ sandbox: RealServerSandbox) {
    sandbox.shell("ip link set near xdpgeneric object \(object) section xdp; rm \(object)")
  }
}
