// Every keyword of keepalived 2.2 and 2.3 by block, with what each opens and whether it has an effect here, or why not.
//
// When an engine is added, its words move from `none` to `acted`; nothing else has to change in the table. The words of
// `global_defs` are in VocabularyGlobals.swift, those of VRRP in VocabularyVRRP.swift.

/// The rows of the keyword table.
enum Vocabulary {
  /// Some keywords that are alike in one kind of block.
  struct Entry: Sendable {
    let kind: BlockKind
    let block: BlockKind?
    let effect: Keyword.Effect
    let names: String

    init(_ kind: BlockKind, _ names: String, opens block: BlockKind? = nil, _ effect: Keyword.Effect) {
      self.kind = kind
      self.block = block
      self.effect = effect
      self.names = names
    }

    /// One by one.
    var keywords: [String] { names.split(whereSeparator: { $0 == " " || $0 == "\n" }).map(String.init) }
  }

  static let entries: [Entry] = root + globalDefs + balancing + checkers + vrrp

  private static let root: [Entry] = [
    Entry(.root, "global_defs", opens: .globalDefs, .acted),
    Entry(.root, "virtual_server", opens: .virtualServer, .acted),
    Entry(.root, "virtual_server_group", opens: .virtualServerGroup, .acted),
    Entry(.root, "local_address_group", opens: .localAddressGroup, .acted),
    Entry(.root, "lbd", opens: .lbd, .acted),
    Entry(.root, "SSL", opens: .ssl, .none(.checks)),
    Entry(.root, "vrrp_instance", opens: .vrrpInstance, .none(.vrrp)),
    Entry(.root, "vrrp_sync_group", opens: .vrrpSyncGroup, .none(.vrrp)),
    Entry(.root, "vrrp_script", opens: .vrrpScript, .none(.vrrp)),
    Entry(.root, "track_file vrrp_track_file", opens: .trackFile, .none(.vrrp)),
    Entry(.root, "vrrp_track_process", opens: .vrrpTrackProcess, .none(.vrrp)),
    Entry(.root, "bfd_instance", opens: .bfdInstance, .none(.vrrp)),
    Entry(.root, "garp_group", opens: .garpGroup, .none(.vrrp)),
    Entry(.root, "static_ipaddress static_routes static_rules", opens: .values, .none(.staticNetwork)),
    Entry(.root, "static_track_group track_group", opens: .trackGroup, .none(.vrrp)),
    Entry(.root, "interface_up_down_delays", opens: .values, .none(.vrrp)),
    Entry(.root, "linkbeat_interfaces", opens: .values, .none(.carrier)),
    Entry(.root, "linkbeat_use_polling", .none(.carrier)),
    Entry(.root, "net_namespace instance use_pid_dir", .none(.ofKeepalived)),
    Entry(.root, "net_namespace_ipvs namespace_with_ipsets", .none(.ownNamespace)),
    Entry(.root, "child_wait_time", .none(.oneProcess)),
  ]

  private static let balancing: [Entry] = [
    Entry(
      .virtualServer,
      """
      protocol lb_algo lvs_sched lb_kind lvs_method weight persistence_timeout persistence_granularity
      ops flag-1 flag-2 flag-3 sh-port sh-fallback mh-port mh-fallback
      laddr_group_name toa proxy_protocol vlan drain_timeout ip_family persistence_engine
      sorry_server sorry_server_inhibit sorry_server_lvs_method quorum hysteresis
      """, .acted),
    Entry(.virtualServer, "real_server", opens: .realServer, .acted),
    Entry(.virtualServer, "nat_mask", .obsolete("removed from keepalived long ago")),
    Entry(.virtualServer, "hashed", .none(.flagOfKernel)),
    Entry(
      .virtualServer,
      """
      delay_loop connect_timeout retry delay_before_retry warmup ha_suspend alpha virtualhost inhibit_on_failure
      """, .none(.checks)),
    Entry(.virtualServer, "omega quorum_up quorum_down smtp_alert", .none(.notification)),
    Entry(.virtualServer, "snmp_name", .none(.snmpName)),
    Entry(.realServer, "weight lvs_method uthreshold lthreshold vlan drain_timeout", .acted),
    Entry(
      .realServer,
      """
      inhibit_on_failure alpha retry delay_before_retry warmup connect_timeout delay_loop virtualhost
      """, .none(.checks)),
    Entry(.realServer, "notify_up notify_down smtp_alert", .none(.notification)),
    Entry(.realServer, "snmp_name", .none(.snmpName)),
    Entry(.realServer, "TCP_CHECK", opens: .tcpCheck, .none(.checks)),
    Entry(.realServer, "HTTP_GET SSL_GET", opens: .httpGet, .none(.checks)),
    Entry(.realServer, "SMTP_CHECK", opens: .smtpCheck, .none(.checks)),
    Entry(.realServer, "DNS_CHECK", opens: .dnsCheck, .none(.checks)),
    Entry(.realServer, "MISC_CHECK", opens: .miscCheck, .none(.checks)),
    Entry(.realServer, "PING_CHECK", opens: .pingCheck, .none(.checks)),
    Entry(.realServer, "UDP_CHECK", opens: .udpCheck, .none(.checks)),
    Entry(.realServer, "FILE_CHECK", opens: .fileCheck, .none(.checks)),
    Entry(.realServer, "BFD_CHECK", opens: .bfdCheck, .none(.checks)),
    Entry(.lbd, "connections interface port workers local_ports tunnel_fragments sysctl helper", .acted),
    Entry(.lbd, "mark_rules", opens: .markRules, .acted),
  ]

  private static let timing = " retry delay_before_retry warmup delay_loop alpha log_all_failures"
  private static let common =
    "connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark through_vip" + timing

  private static let checkers: [Entry] = [
    Entry(.tcpCheck, common + " nb_get_retry", .none(.checks)),
    Entry(.pingCheck, common + " nb_get_retry", .none(.checks)),
    Entry(.dnsCheck, common + " nb_get_retry type name", .none(.checks)),
    Entry(.smtpCheck, common + " nb_get_retry helo_name", .none(.checks)),
    Entry(.smtpCheck, "host", opens: .smtpHost, .none(.checks)),
    Entry(.smtpHost, common + " helo_name", .none(.checks)),
    Entry(
      .udpCheck, common + " nb_get_retry payload require_reply min_reply_length max_reply_length", .none(.checks)),
    Entry(
      .httpGet, common + " virtualhost http_protocol enable_sni fast_recovery nb_get_retry", .none(.checks)),
    Entry(.httpGet, "url", opens: .url, .none(.checks)),
    Entry(
      .url,
      """
      path digest status_code virtualhost regex regex_no_match regex_options regex_min_offset regex_max_offset
      regex_stack
      """, .none(.checks)),
    Entry(.miscCheck, "misc_path misc_timeout misc_dynamic user" + timing, .none(.checks)),
    Entry(.fileCheck, "track_file weight", .none(.checks)), Entry(.bfdCheck, "name alpha", .none(.checks)),
    Entry(.ssl, "password ca certificate key", .none(.checks)),
  ]
}
