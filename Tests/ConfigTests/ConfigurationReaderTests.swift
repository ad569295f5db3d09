import Testing
import Wire

@testable import Config

@Suite struct ConfigurationReaderTests {
  @Test func localAddressGroups() {
    let (configuration, diagnostics) = read(
      """
      local_address_group g {
        10.2.0.1-3
        10.2.1.5 dev eth1   # the device does not matter
        10.2.0.2
        2001:db8::1-2
        10.3.0.1-10.3.0.2
      }
      """)
    let expected = [
      "10.2.0.1", "10.2.0.2", "10.2.0.3", "10.2.1.5", "2001:db8::1", "2001:db8::2", "10.3.0.1", "10.3.0.2",
    ]
    #expect(configuration.localAddressGroups.map(\.name) == ["g"])
    #expect(configuration.localAddressGroups.first?.addresses.map(\.description) == expected)
    #expect(diagnostics.isEmpty)
  }

  static let groupFaults: [(String, String)] = [
    ("local_address_group g {\n}", "1:1 error this group has no addresses"),
    ("local_address_group {\n10.0.0.1\n}", "1:1 error 'local_address_group' needs a name"),
    ("local_address_group g { 10.0.0.1 }\nlocal_address_group g { 10.0.0.2 }", "2:1 error there is a local_address"),
    ("local_address_group g {\n10.0.0.0-10.1.0.0\n}", "1:1 error this group has no addresses"),
    (fullNAT(""), "1:1 error FNAT needs local addresses"),
    (fullNAT("laddr_group_name x"), "1:1 error there is no local_address_group 'x'"),
    (fullNAT("laddr_group_name g") + "local_address_group g { fd00::1 }", "1:1 error local_address_group 'g' has no"),
    (
      "virtual_server 10.0.0.1 80 {\nprotocol TCP\nladdr_group_name g\nreal_server 10.1.0.1 {\n}\n}\n"
        + "local_address_group g { 10.2.0.1 }", "1:1 warning 'laddr_group_name' has no effect"
    ),
  ]

  private static func fullNAT(_ line: String) -> String {
    "virtual_server 10.0.0.1 80 {\nprotocol TCP\nlb_kind FNAT\n\(line)\nreal_server 10.1.0.1 {\n}\n}\n"
  }

  @Test(arguments: groupFaults)
  func localAddressesAreChecked(text: String, expected: String) {
    let found = read(text).diagnostics.filter { $0.severity != .note }.map {
      "\($0.line):\($0.column) \($0.severity.name) \($0.message)"
    }
    #expect(found.contains { $0.hasPrefix(expected) }, "\(found)")
  }

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
      }
      """)
    #expect(diagnostics.isEmpty)
    #expect(configuration.settings.connectionCapacity == 4096)
    #expect(configuration.settings.interfaceNames == ["eth0", "eth1"])
    #expect(configuration.settings.portKind == .packet)
    #expect(configuration.settings.workerCount == 3)
    #expect(configuration.settings.localPorts == 10000...20000)
  }

  @Test(arguments: [
    "connections 1023", "connections 67108865", "connections", "interface", "interface a/b",
    "interface abcdefghijklmnop", "port fast", "workers 0", "local_ports 5", "local_ports 0-5", "local_ports 9-5",
    "local_ports 1-65536", "local_ports 1-2-3", "wrokers 2",
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

  @Test func emptyFile() {
    #expect(read("").configuration == Configuration())
    #expect(read("").diagnostics.isEmpty)
  }

  @Test func invalidTextIsHarmless() {
    let (_, diagnostics) = parseConfiguration(bytes: [0xff, 0xfe, 0, 0x7b, 0x22, 0xc2], file: "t")
    #expect(!diagnostics.isEmpty)
  }
}
