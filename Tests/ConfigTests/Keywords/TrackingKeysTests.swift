import Testing
import Wire

@testable import Config

@Suite struct TrackingKeysTests {
  static let scripts: [KeyRow] = [
    KeyRow("interval 2", "interval", "2"), KeyRow("interval 0", "interval", "1", "from 1 to"),
    KeyRow("timeout 5", "timeout", "5"), KeyRow("weight -20", "weight", "-20"),
    KeyRow("weight 2 reverse", "weight", "2 reverse"), KeyRow("weight 254", "weight", "0", "from -253 to 253"),
    KeyRow("weight 5x", "weight", "5", "'5x' is read as 5"), KeyRow("rise 0", "rise", "1", "from 1 to"),
    KeyRow("fall 3", "fall", "3"), KeyRow("user nobody", "user", "nobody"), KeyRow("init_fail", "init_fail", "on"),
  ]
  static let files: [KeyRow] = [
    KeyRow("weight -254", "weight", "-254"), KeyRow("weight 255", "weight", "1", "from -254 to 254"),
    KeyRow("init_file 5 overwrite", "init_file", "5"), KeyRow("init_file", "init_file", "0"),
  ]
  static let processes: [KeyRow] = [
    KeyRow("param_match partial", "param_match", "partial"),
    KeyRow("param_match whole", "param_match", nil, "write initial or partial"),
    KeyRow("quorum 2", "quorum", "2"), KeyRow("quorum 0", "quorum", "1", "from 1 to 65535"),
    KeyRow("delay 0.5", "fork_delay", "0.5"), KeyRow("full_command", "full_command", "on"),
  ]
  static let sessions: [KeyRow] = [
    KeyRow("min_rx 20", "min_rx", "20"), KeyRow("idle_tx 999", "idle_tx", "1000", "from 1000 to 10000"),
    KeyRow("multiplier 0", "multiplier", "5", "from 1 to 255"), KeyRow("max_hops -1", "max_hops", "-1"),
    KeyRow("passive", "passive", "on"), KeyRow("source_ip x", "source_ip", nil, "numeric"),
  ]

  @Test(arguments: scripts) func readsScript(row: KeyRow) throws {
    let text = "vrrp_script a {\nscript \"/x\"\n\(row.line)\n}\n" + TrackingKeysTests.tracking
    try expect(row, in: text, block: "vrrp_script a", lineNumber: 3)
  }

  @Test(arguments: files) func readsFile(row: KeyRow) throws {
    try expect(row, in: "track_file a {\nfile /x\n\(row.line)\n}", block: "track_file a", lineNumber: 3)
  }

  @Test(arguments: processes) func readsProcess(row: KeyRow) throws {
    let text = "vrrp_track_process a {\nprocess \"haproxy -f x\"\n\(row.line)\n}"
    if row.line.hasPrefix("delay") {
      let process = try #require(read(text).configuration.vrrp.processes.first)
      #expect(process.forkDelay == .milliseconds(500) && process.terminateDelay == .milliseconds(500))
      #expect(process.command == ["haproxy", "-f", "x"])
    } else {
      try expect(row, in: text, block: "vrrp_track_process a", lineNumber: 3)
    }
  }

  @Test(arguments: sessions) func readsSession(row: KeyRow) throws {
    try expect(
      row, in: "bfd_instance a {\nneighbor_ip 10.0.0.2\n\(row.line)\n}", block: "bfd_instance a", lineNumber: 3)
  }

  private static let tracking =
    "vrrp_instance V {\ninterface eth0\nvirtual_router_id 1\nvirtual_ipaddress { 10.0.0.1 }\ntrack_script { a }\n}"

  @Test func spacingOfAnnouncements() throws {
    let text =
      "garp_group {\ngarp_interval 0.1\ninterfaces { eth0\neth1 }\n}\ninterface_up_down_delays {\neth0 2\neth1 1 3\n}"
    let vrrp = read(text).configuration.vrrp
    #expect(vrrp.garpGroups.first?.interfaces == ["eth0", "eth1"])
    #expect(vrrp.interfaceDelays.map(\.up) == [.seconds(2), .seconds(3)])
  }
}
