import Testing
import Wire

@testable import Config

@Suite struct VirtualServerBlockTests {
  private func first(_ lines: String) throws -> (VirtualService, [Diagnostic]) {
    let text = "virtual_server 10.0.0.1 80 {\nprotocol TCP\n\(lines)\nreal_server 10.1.0.1 80 {\n}\n}"
    let (configuration, diagnostics) = read(text)
    return (try #require(configuration.services.first), diagnostics.filter { $0.severity != .note })
  }

  @Test(
    arguments: [
      ("", nil, PersistenceMask.ipv4(.max), 0),
      ("persistence_timeout 0", nil, .ipv4(.max), 0),
      ("persistence_timeout 50", 50, .ipv4(.max), 0),
      ("persistence_timeout", 360, .ipv4(.max), 0),
      ("persistence_granularity 255.255.255.0", 360, .ipv4(0xffff_ff00), 0),
      ("persistence_timeout 7\npersistence_granularity 255.255.0.0", 7, .ipv4(0xffff_0000), 0),
      ("persistence_granularity <NETMASK>", nil, .ipv4(.max), 1),
      ("persistence_timeout 2678401", nil, .ipv4(.max), 1),
      ("persistence_timeout -1", nil, .ipv4(.max), 1),
    ] as [(String, Int?, PersistenceMask, Int)])
  func readsPersistence(lines: String, seconds: Int?, mask: PersistenceMask, findingCount: Int) throws {
    let (service, findings) = try first(lines)
    #expect(service.persistenceSeconds == seconds)
    #expect(service.persistenceMask == mask)
    #expect(findings.count == findingCount, "\(findings)")
  }

  @Test(
    arguments: [
      ("lb_algo sh\nsh-port", SchedulerFlags.port, 0),
      ("lb_algo mh\nmh-fallback\nmh-port", [.fallback, .port], 0),
      ("sh-port\nlb_algo sh", [], 1),
      ("lb_algo sh\nmh-port", [], 1),
      ("flag-1\nflag-3", [.flag1, .flag3], 0),
      ("hashed", [], 1),
      ("lb_algo sh\nhashed", [], 0),
    ] as [(String, SchedulerFlags, Int)])
  func readsFlags(lines: String, flags: SchedulerFlags, findingCount: Int) throws {
    let (service, findings) = try first(lines)
    #expect(service.schedulerFlags == flags)
    #expect(findings.count == findingCount, "\(findings)")
  }

  @Test(arguments: Defaults.schedulerNames)
  func knowsScheduler(name: String) throws {
    let (service, findings) = try first("lb_algo \(name)")
    #expect(service.schedulerName == name)
    #expect(findings.isEmpty)
  }

  @Test func oldNamesOfDirectives() throws {
    let (service, findings) = try first("lvs_sched rr\nlvs_method DR\nnat_mask 255.255.255.0")
    #expect(service.schedulerName == "rr")
    #expect(service.forwardingMethod == .directRouting)
    #expect(findings.isEmpty)
  }

  @Test(arguments: ["0", "4095", "x", ""])
  func refusesTag(text: String) throws {
    let (_, findings) = try first("vlan \(text)")
    #expect(findings.map(\.severity) == [.error])
  }
}
