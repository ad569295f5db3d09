import CShims
import Glibc
import Kernel
import Lab
import Testing
import Wire

@testable import Control

/// The watcher against the kernel, on a thread with a network namespace of its own.
@Suite struct NetworkWatcherTests {
  /// What a namespace thread found; read after the thread has ended.
  private final class Findings: @unchecked Sendable {
    var failures: [String] = []
    var hasNamespace = false
  }

  private static let setup = [
    "ip link set lo up", "ip link add near type veth peer name far", "ip link set near up", "ip link set far up",
    "ip addr add 10.9.0.1/24 dev near", "ip neigh replace 10.9.0.2 lladdr 02:00:00:00:09:02 dev near nud permanent",
  ]

  private static func run(_ body: @escaping @Sendable (Findings) throws -> Void) throws -> Findings {
    let findings = Findings()
    let thread = try PinnedThread.start(name: "watcher-test", core: nil) {
      guard lbd_thread_unshare_network() == 0 else { return }
      findings.hasNamespace = true
      do {
        for line in setup { _ = try Command.check(line.split(separator: " ").map(String.init)) }
        try body(findings)
      } catch {
        findings.failures.append("\(error)")
      }
    }
    thread.join()
    return findings
  }

  /// Linux takes the permanence off an entry that is solicited, and then forgets its MAC address.
  @Test(.enabled(if: geteuid() == 0)) func permanentNeighboursAreLeftAlone() throws {
    let findings = try NetworkWatcherTests.run { findings in
      let watcher = try NetworkWatcher()
      guard let link = watcher.topology.link(named: "near"), let address = IPAddress("10.9.0.2") else {
        return findings.failures.append("no link")
      }
      let station = Topology.Station(address: address, link: link.index)
      watcher.solicit(station)
      usleep(50_000)
      _ = try watcher.update()
      if watcher.topology.neighbours[station] == nil { findings.failures.append("the MAC address is gone") }
      let shown = try Command.check(["ip", "neigh", "show", "dev", "near"])
      if !shown.contains("PERMANENT") { findings.failures.append("now: \(shown)") }
    }
    #expect(findings.hasNamespace)
    #expect(findings.failures == [])
  }

  @Test(.enabled(if: geteuid() == 0)) func followsTheKernel() throws {
    let findings = try NetworkWatcherTests.run { findings in
      let watcher = try NetworkWatcher()
      _ = try Command.check(["ip", "addr", "add", "10.8.0.1/24", "dev", "near"])
      _ = try Command.check(["ip", "route", "add", "192.0.2.0/24", "via", "10.9.0.2"])
      if try !watcher.update() { findings.failures.append("no change seen") }
      guard let added = IPAddress("10.8.0.1"), let beyond = IPAddress("192.0.2.7") else { return }
      if !watcher.topology.isLocal(added) { findings.failures.append("address not seen") }
      if watcher.topology.route(to: beyond)?.gateway != IPAddress("10.9.0.2") { findings.failures.append("no route") }
      _ = try Command.check(["ip", "route", "del", "192.0.2.0/24"])
      _ = try Command.check(["ip", "neigh", "del", "10.9.0.2", "dev", "near"])
      _ = try watcher.update()
      if watcher.topology.route(to: beyond) != nil { findings.failures.append("route stayed") }
      if watcher.topology.neighbours.keys.contains(where: { $0.address == IPAddress("10.9.0.2") }) {
        findings.failures.append("neighbour stayed")
      }
    }
    #expect(findings.hasNamespace)
    #expect(findings.failures == [])
  }
}
