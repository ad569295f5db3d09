import Testing
import Wire

@testable import Config

@Suite struct VRRPRulesTests {
  struct Row: CustomTestStringConvertible {
    let testDescription: String
    let text: String
    /// A part of the only warning; nil is none.
    var message: String?
    /// What holds then.
    var holds: @Sendable (Configuration) -> Bool = { _ in true }
  }

  static func instance(_ lines: String, name: String = "V", id: Int = 1) -> String {
    """
    vrrp_instance \(name) {
    interface eth0
    virtual_router_id \(id)
    virtual_ipaddress { 10.0.0.\(id) }
    \(lines)
    }

    """
  }

  static let rows: [Row] = [
    Row(testDescription: "plain", text: instance("priority 90")) { $0.vrrp.instances[0].priority == 90 },
    Row(testDescription: "MASTER without priority", text: instance("state MASTER")) {
      $0.vrrp.instances[0].priority == 255
    },
    Row(
      testDescription: "nopreempt with MASTER", text: instance("state MASTER\npriority 100\nnopreempt"),
      message: "'nopreempt' does not go with 'state MASTER'"
    ) { !$0.vrrp.instances[0].election.nopreempt },
    Row(
      testDescription: "nopreempt with 255", text: instance("priority 255\nnopreempt"), message: "with priority 255"),
    Row(testDescription: "nopreempt with BACKUP", text: instance("state BACKUP\nnopreempt")) {
      $0.vrrp.instances[0].election.nopreempt
    },
    Row(
      testDescription: "preempt_delay with nopreempt", text: instance("nopreempt\npreempt_delay 5"),
      message: "does not go with nopreempt"
    ) { $0.vrrp.instances[0].election.preemptDelay == .zero },
    Row(
      testDescription: "password in version 3",
      text: instance("version 3\nauthentication { auth_type PASS\nauth_pass 1 }"),
      message: "authentication is ignored: version 3 has none"
    ) { $0.vrrp.instances[0].authentication == nil },
    Row(
      testDescription: "password in strict mode",
      text: instance("strict_mode\naccept\nauthentication { auth_type PASS\nauth_pass 1 }"),
      message: "strict mode allows none"),
    Row(testDescription: "password", text: instance("authentication { auth_type PASS\nauth_pass 12345678 }")) {
      $0.vrrp.instances[0].authentication?.password == Array("12345678".utf8)
    },
    Row(
      testDescription: "the same number twice", text: instance("") + instance("", name: "W"),
      message: "virtual_router_id 1 is already vrrp_instance 'V''s on this interface (line 1)"),
    Row(testDescription: "two numbers", text: instance("") + instance("", name: "W", id: 2)),
    Row(
      testDescription: "the same name twice", text: instance("") + instance("", id: 2),
      message: "there is a vrrp_instance 'V' already"
    ) { $0.vrrp.instances.count == 1 },
    Row(
      testDescription: "no number", text: "vrrp_instance V {\ninterface eth0\nvirtual_ipaddress { 10.0.0.1 }\n}",
      message: "has no virtual_router_id"),
    Row(
      testDescription: "no interface",
      text: "vrrp_instance V {\nvirtual_router_id 1\nvirtual_ipaddress { 10.0.0.1 }\n}",
      message: "has no interface"),
    Row(
      testDescription: "no address", text: "vrrp_instance V {\nvirtual_router_id 1\ninterface eth0\n}",
      message: "has no virtual_ipaddress"),
    Row(
      testDescription: "another family", text: instance("virtual_ipaddress { fd00::1 }"),
      message: "moved to the excluded"
    ) { $0.vrrp.instances[0].addresses.excluded.count == 1 },
    Row(
      testDescription: "unicast without peers", text: instance("unicast_src_ip 10.0.0.9"),
      message: "has no unicast_peer"
    ) { !$0.vrrp.instances[0].network.isUnicast },
    Row(
      testDescription: "own interface tracked", text: instance("track_interface { eth0\neth1 }"),
      message: "own interface"
    ) { $0.vrrp.instances[0].tracking.interfaces.map(\.name) == ["eth1"] },
    Row(
      testDescription: "no such script", text: instance("track_script { chk_nginx }"),
      message: "there is no vrrp_script 'chk_nginx', it is not tracked"
    ) { $0.vrrp.instances[0].tracking.scripts.isEmpty },
    Row(
      testDescription: "a script below its use",
      text: instance("track_script { chk }") + "vrrp_script chk {\nscript \"/x\"\n}"
    ) { $0.vrrp.instances[0].tracking.scripts.count == 1 },
    Row(
      testDescription: "a misspelt script",
      text: "vrrp_script chk_nginx {\nscript \"/x\"\n}\n" + instance("track_script { chk_nginx\nchk_ngnix }"),
      message: "did you mean 'chk_nginx'?"),
    Row(
      testDescription: "a script nobody tracks", text: "vrrp_script chk {\nscript \"/x\"\n}", message: "is not tracked"),
    Row(testDescription: "no script", text: "vrrp_script chk {\ninterval 2\n}", message: "has no script"),
    Row(
      testDescription: "a group with a stranger",
      text: instance("") + instance("", name: "W", id: 2) + "vrrp_sync_group G {\ngroup { V\nW\nX }\n}",
      message: "there is no vrrp_instance 'X'"
    ) { $0.vrrp.groups[0].members == ["V", "W"] },
    Row(
      testDescription: "a group of one", text: instance("") + "vrrp_sync_group G {\ngroup { V }\n}",
      message: "has one member only"),
    Row(
      testDescription: "IPv6 is version 3",
      text: "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { fe80::1 }\nadvert_int 0.1\n}"
    ) { $0.vrrp.instances[0].version == 3 && $0.vrrp.instances[0].advertInterval == .milliseconds(100) },
    Row(
      testDescription: "IPv6 without a link-local address",
      text: "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { fd00::1 }\n}",
      message: "should be a link-local one"),
    Row(
      testDescription: "advert_int beyond version 3", text: instance("version 3\nadvert_int 50"), message: "up to 40.95"
    ) { $0.vrrp.instances[0].advertInterval == .milliseconds(40950) },
    Row(testDescription: "advert_int 1.5 in version 2", text: instance("advert_int 1.5"), message: "is 2 s"),
    Row(
      testDescription: "a file that is not there",
      text: CheckerBlockTests.text("FILE_CHECK { track_file f }"), message: "there is no track_file 'f'"),
    Row(
      testDescription: "a session that is not there",
      text: CheckerBlockTests.text("BFD_CHECK { name b }"), message: "there is no bfd_instance 'b'"),
  ]

  @Test(arguments: rows)
  func checks(row: Row) {
    let (configuration, diagnostics) = read(row.text)
    let findings = diagnostics.filter { $0.severity != .note }
    #expect(findings.count == (row.message == nil ? 0 : 1), "\(findings)")
    if let message = row.message { #expect(findings.first?.description.contains(message) == true, "\(findings)") }
    #expect(row.holds(configuration))
  }

  @Test func addressesBeyondAnAdvertAreExcluded() throws {
    let lines = (0..<300).map { "10.1.\($0 / 250).\($0 % 250 + 1)" }.joined(separator: "\n")
    let text = "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress {\n\(lines)\n}\n}"
    let instance = try #require(read(text).configuration.vrrp.instances.first)
    #expect(instance.addresses.virtual.count == 255 && instance.addresses.excluded.count == 45)
  }

  /// Lists that grow from block to block end somewhere, with a finding for each block that goes on.
  @Test func listsAreBounded() throws {
    let interfaces = (0..<1200).map { "track_interface { e\($0) }\n" }.joined()
    let peers = (0..<1200).map { "unicast_peer { 10.0.\($0 / 250).\($0 % 250 + 1) }\n" }.joined()
    let (configuration, diagnostics) = read(VRRPRulesTests.instance(interfaces + peers))
    let instance = try #require(configuration.vrrp.instances.first)
    #expect(instance.tracking.interfaces.count == Defaults.listedNamesMax)
    #expect(instance.network.peers.count == Defaults.listedNamesMax)
    #expect(diagnostics.filter { $0.message.contains("more than 1000 entries") }.count == 400)
  }

  /// Many names are as fast as few: nothing is compared with everything before it.
  @Test func manyNames() {
    let text = (0..<20000).map { "vrrp_script s\($0) {\n}\n" }.joined()
    let (configuration, diagnostics) = read(text)
    #expect(configuration.vrrp.scripts.count == 20000 && diagnostics.count == DiagnosticList.capacity + 1)
  }
}
