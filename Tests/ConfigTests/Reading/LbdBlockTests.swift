import Testing

@testable import Config

@Suite struct LbdBlockTests {
  @Test func settings() {
    let (configuration, diagnostics) = read(
      """
      lbd {
        connections 4096
        interface eth0 eth1
        interface eth1
        port packet
        workers 3
        local_ports 10000-20000
        tunnel_fragments inside
      }
      """)
    #expect(diagnostics.isEmpty)
    #expect(configuration.settings.connectionCapacity == 4096)
    #expect(configuration.settings.interfaceNames == ["eth0", "eth1"])
    #expect(configuration.settings.portKind == .packet)
    #expect(configuration.settings.workerCount == 3)
    #expect(configuration.settings.localPorts == 10000...20000)
    #expect(configuration.settings.cutsInsideTunnels)
  }

  @Test(arguments: [
    ("helper ftp", [21]), ("helper ftp ports 2121", [2121]), ("helper ftp ports 21 2121 21", [21, 2121]),
    ("helper ftp ports 1 2 3 4 5 6 7 65535", [1, 2, 3, 4, 5, 6, 7, 65535]),
    ("helper ftp ports 2121\nhelper ftp", [21]),
  ])
  func helper(line: String, ports: [UInt16]) {
    let (configuration, diagnostics) = read("lbd {\n\(line)\n}")
    #expect(diagnostics.isEmpty)
    #expect(configuration.settings.ftpPorts == ports)
  }

  @Test(arguments: [
    ("no helper", "lb_kind NAT", "", "", [Diagnostic.Severity.note]),
    ("the helper", "lb_kind NAT", "", "lbd {\nhelper ftp\n}", []),
    ("the helper, for another port", "lb_kind NAT", "", "lbd {\nhelper ftp ports 2121\n}", [.note]),
    ("direct routing", "lb_kind DR", "", "", []),
    ("one server by NAT", "lb_kind DR", "lvs_method NAT", "", [.note]),
  ])
  func ftpThroughNATNeedsItsHelper(
    name: String, method: String, serverMethod: String, block: String, findings: [Diagnostic.Severity]
  ) {
    let (_, diagnostics) = read(
      """
      \(block)
      virtual_server 192.0.2.80 21 {
        protocol TCP
        lb_algo rr
        \(method)
        real_server 192.0.2.11 21 {
          \(serverMethod)
        }
      }
      """)
    #expect(diagnostics.map(\.severity) == findings, "\(name)")
  }

  @Test(arguments: [
    ("web 9641", "127.0.0.1:9641"), ("web 192.0.2.1 80", "192.0.2.1:80"), ("web fd00::1 1", "[fd00::1]:1"),
  ])
  func web(line: String, endpoint: String) {
    let (configuration, diagnostics) = read("lbd {\n\(line)\n}")
    #expect(diagnostics.isEmpty)
    #expect(configuration.settings.web.map { "\($0)" } == endpoint)
  }

  @Test(arguments: [
    "web", "web x", "web 0", "web 65536", "web 127.0.0.1 x", "web nowhere 80",
    "connections 1023", "connections 67108865", "connections", "interface", "interface a/b",
    "interface abcdefghijklmnop", "port fast", "workers 0", "local_ports 5", "local_ports 0-5", "local_ports 9-5",
    "local_ports 1-65536", "local_ports 1-2-3", "wrokers 2", "tunnel_fragments", "tunnel_fragments inner",
    "helper", "helper sip", "helper ftp 21", "helper ftp ports",
    "helper ftp ports 0", "helper ftp ports 65536", "helper ftp ports 21 x", "helper ftp ports 1 2 3 4 5 6 7 8 9",
  ])
  func refusesSetting(line: String) {
    let (configuration, diagnostics) = read("lbd {\n\(line)\n}")
    #expect(diagnostics.map(\.severity) == [.error])
    #expect(configuration.settings == LbdSettings())
  }

  @Test(arguments: [
    ("tcp 7200 tcpfin 60 udp 30", 7200, 60, 30, 0), ("udp 5", 900, 120, 5, 0), ("tcp 0", 900, 120, 300, 0),
    ("tcp 2678401", 900, 120, 300, 1), ("tcp", 900, 120, 300, 1), ("sctp 5", 900, 120, 300, 1),
    ("", 900, 120, 300, 1),
  ])
  func timeouts(text: String, tcp: Int, tcpFin: Int, udp: Int, errorCount: Int) {
    let (configuration, diagnostics) = read("global_defs {\nlvs_timeouts \(text)\n}")
    #expect(configuration.timeouts.tcpSeconds == tcp)
    #expect(configuration.timeouts.tcpFinSeconds == tcpFin)
    #expect(configuration.timeouts.udpSeconds == udp)
    #expect(diagnostics.filter { $0.severity == .error }.count == errorCount)
  }
}
