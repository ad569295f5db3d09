import Testing
import Wire

@testable import Config

@Suite struct VRRPKeysTests {
  static let rows: [KeyRow] = [
    KeyRow("version 3", "version", "3"),
    KeyRow("version 1", "version", "2", "from 2 to 3"),
    KeyRow("state BACKUP", "state", "BACKUP"),
    KeyRow("state Backup", "state", nil, "write MASTER or BACKUP"),
    KeyRow("priority 0", "priority", "100", "from 1 to 255"),
    KeyRow("priority 150x", "priority", "100", "from 1 to 255"),
    KeyRow("advert_int 2", "advert_int", "2"),
    KeyRow("advert_int 0.4", "advert_int", "1", "VRRP version 2 knows whole seconds only"),
    KeyRow("advert_int 0.001", "advert_int", "1", "from 0.01 to 255 seconds"),
    KeyRow("virtual_router_id 256", "virtual_router_id", "51", "from 1 to 255"),
    KeyRow("mcast_src_ip", "mcast_src_ip", nil, "'mcast_src_ip' has no value, the line is left out"),
    KeyRow("mcast_src_ip 1.2.3", "mcast_src_ip", nil, "write a numeric IPv4 or IPv6 address"),
    KeyRow("mcast_src_ip 10.0.0.2", "mcast_src_ip", "10.0.0.2"),
    KeyRow("mcast_dst_ip 10.0.0.2", "mcast_dst_ip", nil, "a multicast address"),
    KeyRow("unicast_peer { 10.0.0.3\n10.0.0.4 min_ttl 200 }", "unicast_peer", "{ 10.0.0.3 10.0.0.4 }"),
    KeyRow("unicast_ttl 256", "unicast_ttl", "255", "from 0 to 255"),
    KeyRow("use_vmac vrrp51 00:00:5e:00:01:33", "use_vmac", "vrrp51"),
    KeyRow("old_unicast_checksum never", "old_unicast_checksum", "never"),
    KeyRow("preempt_delay 1001", "preempt_delay", "0", "from 0 to 1000 seconds"),
    KeyRow("preempt_delay 2.5", "preempt_delay", "2.5"),
    KeyRow("nopreempt", "nopreempt", "on"),
    KeyRow("garp_master_delay", "garp_master_delay", "5", "'garp_master_delay' has no value"),
    KeyRow("garp_lower_prio_repeat 0", "garp_lower_prio_repeat", "0"),
    KeyRow("skip_check_adv_addr off", "skip_check_adv_addr", "off"),
    KeyRow("no_accept", "no_accept", "on"),
    KeyRow("authentication { auth_type PASS\nauth_pass 1111 }", "authentication", "PASS"),
    KeyRow("authentication { auth_type PASS\nauth_pass 123456789 }", "authentication", "PASS", "more than 8 bytes"),
    KeyRow("authentication { auth_type PASS }", "authentication", nil, "there is no password"),
    KeyRow("authentication { auth_type MD5\nauth_pass 1 }", "authentication", nil, "write PASS or AH"),
    KeyRow("virtual_ipaddress_excluded { 10.0.0.9/24 }", "virtual_ipaddress_excluded", "{ 10.0.0.9/24 }"),
    KeyRow("virtual_routes { 10.9.0.0/16 via 10.0.0.1 }", "virtual_routes", "1"),
    KeyRow("virtual_rules { from 10.9.0.0/16 table 7 }", "virtual_rules", "1"),
    KeyRow("track_interface { eth1 weight 10\neth2 }", "track_interface", "{ eth1 eth2 }"),
    KeyRow("track_interface { eth1 weight 255 }", "track_interface", nil, "from -254 to 254"),
    KeyRow("notify_master \"/x.sh a 'b c'\" nobody nogroup", "notify_master", "\"/x.sh a 'b c'\" nobody nogroup"),
    KeyRow("notify_master /a\nnotify_master /b", "notify_master", "\"/a\"", "is there already"),
    KeyRow("notify_deleted", "notify_deleted", "on"),
    KeyRow("smtp_alert off", "smtp_alert", "off"),
    KeyRow("lvs_sync_daemon_interface eth1", "lvs_sync_daemon_interface", "eth1"),
    KeyRow(
      "lvs_sync_daemon_inteface eth1", "lvs_sync_daemon_interface", nil, "did you mean 'lvs_sync_daemon_interface'?"),
  ]

  static func text(_ line: String) -> String {
    """
    vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    virtual_ipaddress { 10.0.0.1 }
    \(line)
    }
    """
  }

  @Test(arguments: rows)
  func reads(row: KeyRow) throws {
    try expect(row, in: VRRPKeysTests.text(row.line), block: "vrrp_instance VI_1", lineNumber: 5)
  }

  @Test func globalsAreTheDefaults() throws {
    let globals = "global_defs {\nvrrp_version 3\nvrrp_garp_master_repeat 2\nvrrp_strict\n}\n"
    let instance = try #require(read(globals + VRRPKeysTests.text("")).configuration.vrrp.instances.first)
    #expect(instance.version == 3 && instance.announcement.masterRepeat == 2 && instance.election.isStrict)
    #expect(instance.origins.position(of: "version") == nil)
  }

  @Test func hopLimitsOfPeers() throws {
    let text = VRRPKeysTests.text("unicast_peer { 10.0.0.3 min_ttl 250 max_ttl 255\n10.0.0.4 }")
    let peers = try #require(read(text).configuration.vrrp.instances.first).network.peers
    #expect(peers.map(\.hopLimits) == [250...255, 0...255])
  }

  @Test func group() throws {
    let text = "vrrp_sync_group G {\ngroup { a b\nc }\nnotify \"/x\"\nsync_group_tracking_weight\n}"
    let group = try #require(read(text).configuration.vrrp.groups.first)
    #expect(group.notification.scripts["notify"]?.words == ["/x"] && group.usesTrackingWeight)
  }
}
