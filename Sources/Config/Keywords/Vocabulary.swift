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
    Entry(.root, "SSL", opens: .ssl, .acted),
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
      laddr_group_name toa proxy_protocol vlan drain_timeout warmup_weight ip_family persistence_engine
      sorry_server sorry_server_inhibit sorry_server_lvs_method quorum hysteresis
      """, .acted),
    Entry(.virtualServer, "real_server", opens: .realServer, .acted),
    Entry(.virtualServer, "passive_check", opens: .passiveCheck, .acted),
    Entry(.passiveCheck, "window unanswered minimum", .acted),
    Entry(.virtualServer, "nat_mask", .obsolete("removed from keepalived long ago")),
    Entry(.virtualServer, "hashed", .none(.flagOfKernel)),
    Entry(
      .virtualServer,
      """
      delay_loop connect_timeout retry delay_before_retry warmup ha_suspend alpha virtualhost inhibit_on_failure
      """, .acted),
    Entry(.virtualServer, "omega quorum_up quorum_down smtp_alert", .acted),
    Entry(.virtualServer, "snmp_name", .none(.snmpName)),
    Entry(.realServer, "weight lvs_method uthreshold lthreshold vlan drain_timeout warmup_weight", .acted),
    Entry(
      .realServer,
      """
      inhibit_on_failure alpha retry delay_before_retry warmup connect_timeout delay_loop virtualhost
      """, .acted),
    Entry(.realServer, "notify_up notify_down smtp_alert", .acted),
    Entry(.realServer, "snmp_name", .none(.snmpName)),
    Entry(.realServer, "TCP_CHECK", opens: .tcpCheck, .acted),
    Entry(.realServer, "HTTP_GET SSL_GET", opens: .httpGet, .acted),
    Entry(.realServer, "SMTP_CHECK", opens: .smtpCheck, .acted),
    Entry(.realServer, "DNS_CHECK", opens: .dnsCheck, .acted),
    Entry(.realServer, "MISC_CHECK", opens: .miscCheck, .acted),
    Entry(.realServer, "PING_CHECK", opens: .pingCheck, .acted),
    Entry(.realServer, "UDP_CHECK", opens: .udpCheck, .acted),
    Entry(.realServer, "FILE_CHECK", opens: .fileCheck, .acted),
    Entry(.realServer, "BFD_CHECK", opens: .bfdCheck, .none(.sessions)),
    Entry(.lbd, "connections interface port workers local_ports tunnel_fragments sysctl helper web", .acted),
    Entry(.lbd, "mark_rules", opens: .markRules, .acted),
  ]

  private static let timing = " retry delay_before_retry warmup delay_loop alpha log_all_failures"
  private static let common =
    "connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark" + timing

  private static let checkers: [Entry] =
    [
      Entry(.tcpCheck, common + " nb_get_retry", .acted),
      Entry(.pingCheck, common + " nb_get_retry", .acted),
      Entry(.dnsCheck, common + " nb_get_retry type name", .acted),
      Entry(.smtpCheck, common + " nb_get_retry helo_name", .acted),
      Entry(.smtpCheck, "host", opens: .smtpHost, .acted),
      Entry(.smtpHost, common + " helo_name", .acted),
      Entry(
        .udpCheck, common + " nb_get_retry payload require_reply min_reply_length max_reply_length", .acted),
      Entry(
        .httpGet, common + " virtualhost http_protocol enable_sni fast_recovery nb_get_retry", .acted),
      Entry(.httpGet, "url", opens: .url, .acted),
      Entry(
        .url,
        """
        path digest status_code virtualhost regex regex_no_match regex_options regex_min_offset regex_max_offset
        """, .acted),
      Entry(.url, "regex_stack", .none(.ownBuffers)),
      Entry(.miscCheck, "misc_path misc_timeout misc_dynamic user" + timing, .acted),
      Entry(.fileCheck, "track_file weight", .acted), Entry(.bfdCheck, "name alpha", .none(.sessions)),
      Entry(.ssl, "password ca certificate key", .acted),
      Entry(.pingCheck, "through_vip", .none(.noPort)), Entry(.smtpHost, "through_vip", .none(.otherHosts)),
    ] + connecting.map { Entry($0, "through_vip", .acted) }

  private static let connecting: [BlockKind] = [.tcpCheck, .dnsCheck, .smtpCheck, .udpCheck, .httpGet]
}
