import Glibc
import Kernel
import Synchronization
import Testing
import Wire

@testable import Lab

/// Collects a host's report.
private final class Lines: Sendable {
  private let lines = Mutex<[String]>([])
  func add(_ line: String) { lines.withLock { $0.append(line) } }
  func take() -> [String] {
    lines.withLock { lines in
      defer { lines = [] }
      return lines
    }
  }
}

private struct Host {
  let lines = Lines()
  let host: RealServerHost
  let path: String

  init() {
    path = "/tmp/lbd-realserver-test.\(getpid()).\(UInt32.random(in: 0 ... .max))/state.json"
    host = RealServerHost(statePath: path) { [lines] in lines.add($0) }
  }

  func cleanUp() {
    unlink(path)
    unlink(path + ".lock")
    rmdir(String(path.dropLast("/state.json".count)))
  }

  func setup(_ vips: [String], _ mode: RealServerHost.Mode, _ interface: String?, mss: Int? = nil) throws -> [String] {
    let request = RealServerHost.Request(
      vips: vips.map { IPAddress($0)! }, mode: mode, interface: interface, advertisedMSS: mss)
    try host.setup(request) { _ in throw SystemError("attach", errno: ENOSYS) }
    return lines.take()
  }

  func undo() throws -> [String] {
    try host.undo()
    return lines.take()
  }

  func show() throws -> [String] {
    try host.show()
    return lines.take()
  }
}

/// Everything setup may change, as text.
private func snapshot() throws -> [String] {
  var result: [String] = []
  for interface in ["all", "lo", "near", "default"] {
    for name in ["arp_ignore", "arp_announce", "rp_filter"] {
      let setting = try SystemSetting.ipv4(interface, name)
      result.append("\(setting) \(try setting.read())")
    }
  }
  var network = try NetlinkSocket()
  result += try network.addresses().map { "\($0.prefix) \($0.linkIndex)" }.sorted()
  result += try network.routeRecords().map { "\($0.route) \($0.advertisedMSS ?? 0)" }.sorted()
  return result
}

/// True when the near host answers the far one's question who has `address`.
private func isAnswered(_ address: String, _ sandbox: RealServerSandbox) throws -> Bool {
  sandbox.enter(1)
  defer { sandbox.enter(0) }
  var network = try NetlinkSocket()
  guard let far = try network.link(named: "far"), let address = IPAddress(address) else { return false }
  try network.solicit(neighbour: address, linkIndex: far.index)
  // Three questions, a second apart, before the kernel gives up.
  for _ in 0..<45 {
    usleep(100_000)
    let state = try network.neighbours().first { $0.address == address && $0.linkIndex == far.index }?.state
    if state == .reachable { return true }
    if state == .failed { return false }
  }
  return false
}

@Suite(.enabled(if: RealServerSandbox.isAvailable, "needs root and the ip command"), .serialized)
struct RealServerHostTests {
  @Test func directRouting() {
    let failures = RealServerSandbox.run { sandbox in
      let host = Host()
      defer { host.cleanUp() }
      sandbox.shell("echo 2 > /proc/sys/net/ipv4/conf/near/arp_ignore")
      let before = try snapshot()
      sandbox.expect(try host.show()[0].hasPrefix("nothing was set up"), "show before")

      let lines = try host.setup(["10.200.0.1", "2001:db8:200::1"], .dr, "near")
      let expected = [
        "set net.ipv4.conf.all.arp_ignore 0 -> 1", "set net.ipv4.conf.all.arp_announce 0 -> 2",
        "set net.ipv4.conf.lo.arp_ignore 0 -> 1", "set net.ipv4.conf.lo.arp_announce 0 -> 2",
        "set net.ipv4.conf.near.arp_ignore 2 -> 1", "set net.ipv4.conf.near.arp_announce 0 -> 2",
        "add 10.200.0.1/32 to lo", "add 2001:db8:200::1/128 to lo",
      ]
      sandbox.expect(lines == expected, "\(lines)")
      let shown = try host.show()
      sandbox.expect(shown.contains("net.ipv4.conf.near.arp_ignore 1 (lbd; before: 2)"), "\(shown)")
      sandbox.expect(shown.contains("10.200.0.1/32 on lo (lbd)"), "\(shown)")
      sandbox.expect(shown.count == 9 && !shown.contains { $0.contains("differs") }, "\(shown)")

      // A second setup finds everything there, adds what is new, and keeps the first old values.
      let again = try host.setup(["10.200.0.1", "10.200.0.2"], .dr, "near")
      sandbox.expect(again.filter { $0.hasSuffix("already") }.count == 7 && again.count == 8, "\(again)")
      sandbox.expect(again.last == "add 10.200.0.2/32 to lo", "\(again)")

      let undone = try host.undo()
      sandbox.expect(undone.first == "remove 10.200.0.2/32 from lo", "\(undone)")
      sandbox.expect(undone.contains("set net.ipv4.conf.near.arp_ignore 1 -> 2"), "\(undone)")
      let after = try snapshot()
      sandbox.expect(after == before, "\(zip(before, after).filter { $0 != $1 })")
      sandbox.expect(access(host.path, F_OK) != 0, "the state file stayed")
      sandbox.expect(try host.undo()[0].hasPrefix("nothing to undo"), "undo twice")
    }
    #expect(failures == [])
  }

  /// The point of it all: before, a neighbour learns the VIP from this host; after, it does not; the host's own
  /// address is answered as ever.
  @Test func silenceAboutTheVIP() {
    let failures = RealServerSandbox.run { sandbox in
      let host = Host()
      defer { host.cleanUp() }
      sandbox.enter(1)
      sandbox.shell("ip route add 10.200.0.0/24 dev far")
      sandbox.enter(0)
      sandbox.shell("ip address add 10.200.0.1/32 dev lo")
      sandbox.expect(try isAnswered("10.200.0.1", sandbox), "answered before setup")
      sandbox.shell("ip address del 10.200.0.1/32 dev lo")
      sandbox.enter(1)
      sandbox.shell("ip neighbour flush dev far")
      sandbox.enter(0)
      _ = try host.setup(["10.200.0.1"], .dr, "near")
      sandbox.expect(try !isAnswered("10.200.0.1", sandbox), "answered after setup")
      sandbox.expect(try isAnswered("10.9.0.1", sandbox), "own address not answered")
      _ = try host.undo()
    }
    #expect(failures == [])
  }

  /// IPv6 needs no settings: an address of `lo` is not answered for on another interface.
  @Test func silenceAboutTheVIPOverIPv6() {
    let failures = RealServerSandbox.run { sandbox in
      let host = Host()
      defer { host.cleanUp() }
      sandbox.enter(1)
      sandbox.shell("ip -6 route add 2001:db8:200::/64 dev far")
      sandbox.enter(0)
      _ = try host.setup(["2001:db8:200::1"], .dr, "near")
      sandbox.expect(try !isAnswered("2001:db8:200::1", sandbox), "answered after setup")
      sandbox.expect(try isAnswered("2001:db8::1", sandbox), "own address not answered")
      _ = try host.undo()
    }
    #expect(failures == [])
  }

  @Test func othersChangesAreLeft() {
    let failures = RealServerSandbox.run { sandbox in
      let host = Host()
      defer { host.cleanUp() }
      sandbox.shell("echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce; ip address add 10.200.0.9/32 dev lo")
      _ = try host.setup(["10.200.0.1", "10.200.0.9"], .dr, nil)
      sandbox.shell("echo 2 > /proc/sys/net/ipv4/conf/all/arp_ignore; ip address del 10.200.0.1/32 dev lo")
      let shown = try host.show()
      sandbox.expect(
        shown.contains("net.ipv4.conf.all.arp_ignore differs: 2, not 1 (lbd; before: 0)"), "\(shown)")
      sandbox.expect(shown.contains("10.200.0.1/32 differs: not on lo (lbd)"), "\(shown)")
      let undone = try host.undo()
      sandbox.expect(
        undone.contains("left net.ipv4.conf.all.arp_ignore at 2: changed since lbd set 1 (before: 0)"), "\(undone)")
      sandbox.expect(undone.contains("10.200.0.1/32 is not on lo any more"), "\(undone)")
      sandbox.expect(!undone.contains { $0.contains("all.arp_announce") || $0.contains("10.200.0.9") }, "\(undone)")
    }
    #expect(failures == [])
  }

  @Test func refusals() {
    let failures = RealServerSandbox.run { sandbox in
      let host = Host()
      defer { host.cleanUp() }
      let before = try snapshot()
      for (vips, mode, interface, text) in [
        (["10.200.0.1"], RealServerHost.Mode.dr, "eth9", "cannot use interface eth9: ENODEV (no such interface; "),
        (["10.200.0.1"], .dr, "lo", "cannot use interface lo: EINVAL ("),
        (["10.9.0.1"], .dr, "near", "cannot hide 10.9.0.1: EADDRINUSE (near has it"),
        ([], .dr, "near", "cannot set up mode dr: EINVAL (name at least one VIP"),
        (["10.200.0.1"], .tun, nil, "cannot choose an interface: ENODEV (there is no default route"),
      ] as [([String], RealServerHost.Mode, String?, String)] {
        do {
          _ = try host.setup(vips, mode, interface)
          sandbox.expect(false, "accepted: \(text)")
        } catch {
          sandbox.expect("\(error)".hasPrefix(text), "\(error)")
        }
      }
      for mode in [RealServerHost.Mode.nat, .fullnat] {
        let lines = try host.setup(["10.200.0.1"], mode, "near")
        sandbox.expect(lines.first?.hasSuffix("nothing was changed") == true && lines.count == 2, "\(lines)")
      }
      sandbox.expect(try snapshot() == before, "something changed")

      let writer = try RealServerStateFile(path: host.path, isWriter: true)
      do {
        _ = try host.undo()
        sandbox.expect(false, "two writers at \(writer.path)")
      } catch { sandbox.expect("\(error)".hasSuffix("(another lbd realserver is at work)"), "\(error)") }
    }
    #expect(failures == [])
  }

  @Test func otherNamespaceAndDamage() {
    let failures = RealServerSandbox.run { sandbox in
      let host = Host()
      defer { host.cleanUp() }
      _ = try host.setup(["10.200.0.1"], .dr, "near")
      sandbox.enter(1)
      do {
        _ = try host.undo()
        sandbox.expect(false, "undone in the wrong namespace")
      } catch { sandbox.expect("\(error)".contains("another network namespace"), "\(error)") }
      sandbox.enter(0)
      _ = try host.undo()
      sandbox.shell("echo '{\"version\":1,' > \(host.path)")
      do {
        _ = try host.show()
        sandbox.expect(false, "damaged file accepted")
      } catch { sandbox.expect("\(error)".contains("not a state file"), "\(error)") }
    }
    #expect(failures == [])
  }
}
