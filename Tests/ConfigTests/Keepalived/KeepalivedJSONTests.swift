import Foundation
import Testing

@testable import Config

struct KeepalivedJSONTests {
  private static let text = """
    global_defs {
        smtp_alert
    }
    vrrp_instance VI_1 {
        state MASTER
        interface eth0
        virtual_router_id 51
        priority 255
        advert_int 2
        dont_track_primary
        skip_check_adv_addr
        promote_secondaries
        notify_master "/usr/bin/true m x"
        notify_backup "/usr/bin/true b"
        notify "/usr/bin/true"
        notify_deleted
        authentication {
            auth_type AH
            auth_pass sesame
        }
        track_interface {
            lo weight 10
        }
        virtual_ipaddress {
            192.168.9.100/24 brd 192.168.9.255 dev eth0 label eth0:1
            192.168.9.101
        }
        virtual_ipaddress_excluded {
            2001:db8::5/64
            2001:db8::6
        }
    }
    vrrp_instance V2 {
        interface eth1
        virtual_router_id 52
        use_vmac
        version 3
        advert_int 0.5
        smtp_alert false
        preempt_delay 30
        virtual_ipaddress {
            192.168.9.200/24
        }
    }
    """

  private func objects(_ text: String) throws -> [[String: [String: Any]]] {
    let json = KeepalivedJSON.text(read(text).configuration)
    let parsed = try JSONSerialization.jsonObject(with: Data(json.utf8))
    return try #require(parsed as? [[String: [String: Any]]])
  }

  @Test func noInstances() throws { #expect(try objects("").isEmpty) }

  /// Names and order are those that keepalived 2.2.7 wrote of this instance.
  @Test func keys() throws {
    let line = KeepalivedJSON.text(read(KeepalivedJSONTests.text).configuration)
    let first = try #require(line.components(separatedBy: "},{").first)
    let keys = first.matches(of: /"([a-z_]+)":/).map { String($0.output.1) }
    #expect(
      keys
        == """
        data iname dont_track_primary skip_check_adv_addr strict_mode vmac_ifname ifp_ifname master_priority
        last_transition garp_delay garp_refresh garp_rep garp_refresh_rep garp_lower_prio_delay garp_lower_prio_rep
        lower_prio_no_advert higher_prio_send_advert vrid base_priority effective_priority vipset promote_secondaries
        adver_int master_adver_int accept nopreempt preempt_delay state wantstate version smtp_alert notify_deleted
        script_master script_backup script vips evips track_ifp auth_type auth_data stats advert_rcvd advert_sent
        become_master release_master packet_len_err advert_interval_err ip_ttl_err invalid_type_rcvd addr_list_err
        invalid_authtype authtype_mismatch auth_failure pri_zero_rcvd pri_zero_sent
        """.split(whereSeparator: \.isWhitespace).map(String.init))
  }

  @Test func values() throws {
    let objects = try objects(KeepalivedJSONTests.text)
    #expect(objects.count == 2)
    let data = try #require(objects[0]["data"])
    let numbers: [String: Int] = [
      "dont_track_primary": 1, "skip_check_adv_addr": 1, "strict_mode": 0, "garp_delay": 5, "garp_rep": 5,
      "garp_lower_prio_delay": 5, "vrid": 51, "base_priority": 255, "effective_priority": 255, "adver_int": 2,
      "accept": 1, "state": 0, "wantstate": 2, "version": 2, "auth_type": 2,
    ]
    for (key, value) in numbers { #expect(data[key] as? Int == value, "\(key)") }
    let flags = ["vipset": false, "promote_secondaries": true, "smtp_alert": true, "notify_deleted": true]
    for (key, value) in flags { #expect(data[key] as? Bool == value, "\(key)") }
    #expect(data["iname"] as? String == "VI_1" && data["ifp_ifname"] as? String == "eth0")
    #expect(data["script_master"] as? String == "'/usr/bin/true' 'm' 'x'")
    #expect(
      data["vips"] as? [String] == [
        "192.168.9.100/24 brd 192.168.9.255 dev eth0 scope global label eth0:1", "192.168.9.101 dev eth0 scope global",
      ])
    #expect(
      data["evips"] as? [String] == [
        "2001:db8::5/64 dev eth0 scope global preferred_lft forever", "2001:db8::6 dev eth0 scope global deprecated",
      ])
    #expect(data["track_ifp"] as? [String] == ["lo"])
    #expect(objects[0]["stats"]?.values.allSatisfy { $0 as? Int == 0 } == true)
  }

  @Test func virtualInterfaceAndFractions() throws {
    let data = try #require(try objects(KeepalivedJSONTests.text)[1]["data"])
    #expect(data["vmac_ifname"] as? String == "vrrp.52" && data["ifp_ifname"] as? String == "vrrp.52")
    #expect(data["vips"] as? [String] == ["192.168.9.200/24 dev vrrp.52@eth1 scope global"])
    #expect(data["adver_int"] as? Double == 0.5 && data["preempt_delay"] as? Int == 30)
    #expect(data["wantstate"] as? Int == 1 && data["smtp_alert"] as? Bool == false)
    #expect(data["auth_type"] as? Int == 0 && data["auth_data"] == nil && data["evips"] == nil)
  }

  @Test func passwordsAreNotTold() throws {
    let configuration = read(KeepalivedJSONTests.text).configuration
    #expect(configuration.vrrp.instances[0].authentication?.password == Array("sesame".utf8))
    for text in [
      KeepalivedJSON.text(configuration), KeepalivedData.data(configuration), KeepalivedData.statistics(configuration),
    ] {
      #expect(!text.contains("sesame"))
    }
  }
}
