import Testing
import Wire

@testable import Config

@Suite struct GlobalKeysTests {
  static let rows: [KeyRow] = [
    KeyRow("router_id LVS_1", "router_id", "LVS_1"),
    KeyRow("notification_email { a@b.c d@e.f }", "notification_email", "{ a@b.c d@e.f }"),
    KeyRow("notification_email_from x@y.z", "notification_email_from", "x@y.z"),
    KeyRow("smtp_server 10.0.0.25 2525", "smtp_server", "10.0.0.25"),
    KeyRow("smtp_server 10.0.0.25 99999", "smtp_server", nil, "'99999' does not fit 'smtp_server'"),
    KeyRow("smtp_connect_timeout 7", "smtp_connect_timeout", "7"),
    KeyRow("smtp_connect_timeout 0", "smtp_connect_timeout", "1", "read as 1 second"),
    KeyRow("smtp_connect_timeout -1", "smtp_connect_timeout", "30", "write a number from 0 to 4294"),
    KeyRow("smtp_alert", "smtp_alert", "on"),
    KeyRow("smtp_alert off", "smtp_alert", "off"),
    KeyRow("smtp_alert maybe", "smtp_alert", nil, "'maybe' does not fit 'smtp_alert'"),
    KeyRow("no_email_faults", "no_email_faults", "on"),
    KeyRow("vrrp_version 3", "vrrp_version", "3"),
    KeyRow("vrrp_version 4", "vrrp_version", "2", "write a number from 2 to 3"),
    KeyRow("vrrp_mcast_group4 224.0.0.19", "vrrp_mcast_group4", "224.0.0.19"),
    KeyRow("vrrp_mcast_group4 10.0.0.1", "vrrp_mcast_group4", "224.0.0.18", "a multicast address"),
    KeyRow("vrrp_mcast_group6 ff02::13", "vrrp_mcast_group6", "ff02::13"),
    KeyRow("vrrp_garp_interval 0", "vrrp_garp_interval", "0"),
    KeyRow("vrrp_gna_interval 0.001", "vrrp_gna_interval", "0.001"),
    KeyRow("vrrp_garp_master_delay 2x", "vrrp_garp_master_delay", "2", "'2x' is read as 2"),
    KeyRow("vrrp_garp_master_repeat 0", "vrrp_garp_master_repeat", "5", "from 1 to 4294967295"),
    KeyRow("vrrp_garp_extra_if all 60", "vrrp_garp_extra_if", "60"),
    KeyRow("vrrp_down_timer_adverts 101", "vrrp_down_timer_adverts", "3", "from 1 to 100"),
    KeyRow("vrrp_strict", "vrrp_strict", "on"),
    KeyRow("vrrp_skip_check_adv_addr off", "vrrp_skip_check_adv_addr", "off"),
    KeyRow("vrrp_startup_delay 4294.967296", "vrrp_startup_delay", "0", "from 0 to 4294.967295 seconds"),
    KeyRow("script_user nobody nogroup", "script_user", "nobody"),
    KeyRow("enable_script_security", "enable_script_security", "on"),
    KeyRow("startup_script \"/bin/a b\" u g", "startup_script", "\"/bin/a b\" u g"),
    KeyRow("startup_script_timeout 1001", "startup_script_timeout", "10", "from 1 to 1000"),
    KeyRow("notify_fifo /run/x u g", "notify_fifo", "/run/x"),
    KeyRow("notify_fifo", "notify_fifo", nil, "'notify_fifo' needs a path, the line is ignored"),
    KeyRow("notify_fifo_script /bin/read", "notify_fifo_script", "\"/bin/read\""),
    KeyRow(
      "lvs_sync_daemon eth0 VI_1 id 7 maxlen 1400 port 9 ttl 3 group 224.1.1.1", "lvs_sync_daemon",
      "eth0 VI_1 id 7 maxlen 1400 port 9 ttl 3 group 224.1.1.1"),
    KeyRow("lvs_sync_daemon eth0 id 256", "lvs_sync_daemon", nil, "from 0 to 255"),
    KeyRow("lvs_sync_daemon eth0 VI_1 foo 1", "lvs_sync_daemon", nil, "write inst, id, maxlen, port, ttl or group"),
    KeyRow("lvs_timeouts tcp 10 udp 20", "lvs_timeouts", "tcp 10 tcpfin 120 udp 20"),
    KeyRow("checker_log_all_failures yes", "checker_log_all_failures", "on"),
  ]

  @Test(arguments: rows)
  func reads(row: KeyRow) throws {
    try expect(row, in: "global_defs {\n\(row.line)\n}", block: "global_defs", lineNumber: 2)
  }

  @Test func minimalAnnouncementLeavesWhatIsSaid() {
    let text = "global_defs {\nvrrp_min_garp\nvrrp_garp_master_repeat 3\n}"
    let announcement = read(text).configuration.globals.vrrp.announcement
    #expect(announcement.masterRepeat == 3 && announcement.masterDelay == .zero)
  }

  @Test func mailIsByDefaultForRealServersOnly() {
    let silent = read("").configuration.globals.mail
    #expect(!silent.alertsForVRRP && !silent.alertsForServices && silent.alertsForServers && !silent.isUsable)
    let loud = read("global_defs {\nsmtp_alert\nsmtp_alert_checker off\n}").configuration.globals.mail
    #expect(loud.alertsForVRRP && !loud.alertsForServices && !loud.alertsForServers)
  }
}
