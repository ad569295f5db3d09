// Every keyword of keepalived 2.2 and 2.3 by block, with what each opens and whether it has an effect here.
//
// When an engine is added, its words move from `none` to `acted`; nothing else has to change in the table.

/// The rows of the keyword table.
enum Vocabulary {
  /// Some keywords that are alike in one kind of block.
  struct Entry: Sendable {
    let kind: BlockKind
    let block: BlockKind?
    let effect: Keyword.Effect
    let names: String

    init(_ kind: BlockKind, _ names: String, opens block: BlockKind? = nil, _ effect: Keyword.Effect = .none) {
      self.kind = kind
      self.block = block
      self.effect = effect
      self.names = names
    }
  }

  static let entries: [Entry] = root + globalDefs + balancing + checkers + vrrp

  private static let root: [Entry] = [
    Entry(.root, "global_defs", opens: .globalDefs, .acted),
    Entry(.root, "virtual_server", opens: .virtualServer, .acted),
    Entry(.root, "virtual_server_group", opens: .virtualServerGroup, .acted),
    Entry(.root, "local_address_group", opens: .localAddressGroup, .acted),
    Entry(.root, "lbd", opens: .lbd, .acted),
    Entry(.root, "SSL", opens: .ssl),
    Entry(.root, "vrrp_instance", opens: .vrrpInstance),
    Entry(.root, "vrrp_sync_group", opens: .vrrpSyncGroup),
    Entry(.root, "vrrp_script", opens: .vrrpScript),
    Entry(.root, "track_file vrrp_track_file", opens: .trackFile),
    Entry(.root, "vrrp_track_process", opens: .vrrpTrackProcess),
    Entry(.root, "bfd_instance", opens: .bfdInstance),
    Entry(.root, "garp_group", opens: .garpGroup),
    Entry(
      .root,
      """
      static_ipaddress static_routes static_rules static_track_group track_group interface_up_down_delays
      linkbeat_interfaces
      """, opens: .values),
    Entry(
      .root,
      """
      net_namespace net_namespace_ipvs instance use_pid_dir linkbeat_use_polling namespace_with_ipsets child_wait_time
      """),
  ]

  private static let globalDefs: [Entry] = [
    Entry(.globalDefs, "lvs_timeouts", .acted),
    Entry(.globalDefs, "notification_email", opens: .values),
    Entry(
      .globalDefs,
      """
      router_id notification_email_from smtp_server smtp_helo_name smtp_connect_timeout smtp_alert smtp_alert_vrrp
      smtp_alert_checker no_email_faults no_checker_emails checker_log_all_failures vrrp_version v3_checksum_as_v2
      vrrp_mcast_group4 vrrp_mcast_group6 default_interface
      vrrp_garp_master_delay vrrp_garp_master_repeat vrrp_garp_master_refresh vrrp_garp_master_refresh_repeat
      vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat vrrp_garp_interval vrrp_gna_interval vrrp_min_garp
      vrrp_garp_extra_if vrrp_down_timer_adverts vrrp_lower_prio_no_advert vrrp_higher_prio_send_advert
      vrrp_check_unicast_src vrrp_skip_check_adv_addr vrrp_strict vrrp_iptables vrrp_ipsets
      nftables nftables_priority nftables_counters nftables_ifindex nftables_ipvs vrrp_notify_priority_changes
      notify_fifo notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script lvs_notify_fifo lvs_notify_fifo_script
      fifo_write_vrrp_states_on_reload lvs_sync_daemon lvs_flush lvs_flush_on_stop
      script_user enable_script_security startup_script startup_script_timeout shutdown_script shutdown_script_timeout
      vrrp_priority checker_priority bfd_priority vrrp_rt_priority checker_rt_priority bfd_rt_priority
      vrrp_no_swap checker_no_swap bfd_no_swap vrrp_cpu_affinity checker_cpu_affinity bfd_cpu_affinity
      vrrp_rlimit_rttime checker_rlimit_rttime bfd_rlimit_rttime max_auto_priority min_auto_priority_delay
      dynamic_interfaces vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier rs_init_notifies vrrp_startup_delay
      vrrp_delay_after_boot log_unknown_vrids disable_local_igmp vmac_prefix vmac_addr_prefix umask random_seed
      process_name process_names vrrp_process_name checker_process_name bfd_process_name
      config_save_dir tmp_config_directory data_use_instance
      reload_check_config reload_time_file reload_repeat reload_file include_check
      enable_snmp_vrrp enable_snmp_keepalived enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3
      enable_traps snmp_socket enable_dbus dbus_service_name dbus_no_interface_name
      vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs
      vrrp_netlink_monitor_rcv_bufs_force lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force
      lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs
      process_monitor_rcv_bufs_force vrrp_owner_ignore_adverts thread_timer_expired timer_expired_backup json_version
      state_dump_file stats_dump_file json_dump_file use_symlink_paths tls_compliant iproute_usr_dir iproute_etc_dir
      snmp_vrrp_stats_update_interval snmp_rs_stats_update_interval snmp_vs_stats_update_interval
      """),
  ]

  private static let balancing: [Entry] = [
    Entry(
      .virtualServer,
      """
      protocol lb_algo lvs_sched lb_kind lvs_method weight persistence_timeout persistence_granularity
      ops hashed flag-1 flag-2 flag-3 sh-port sh-fallback mh-port mh-fallback
      laddr_group_name toa proxy_protocol vlan ip_family sorry_server persistence_engine
      """, .acted),
    Entry(.virtualServer, "real_server", opens: .realServer, .acted),
    Entry(.virtualServer, "nat_mask", .obsolete("removed from keepalived long ago")),
    Entry(
      .virtualServer,
      """
      delay_loop connect_timeout retry delay_before_retry warmup ha_suspend alpha omega
      quorum hysteresis quorum_up quorum_down sorry_server_inhibit sorry_server_lvs_method virtualhost smtp_alert
      snmp_name inhibit_on_failure
      """),
    Entry(.realServer, "weight lvs_method uthreshold lthreshold vlan", .acted),
    Entry(
      .realServer,
      """
      inhibit_on_failure notify_up notify_down smtp_alert alpha retry delay_before_retry warmup connect_timeout
      delay_loop virtualhost snmp_name
      """),
    Entry(.realServer, "TCP_CHECK", opens: .tcpCheck),
    Entry(.realServer, "HTTP_GET SSL_GET", opens: .httpGet),
    Entry(.realServer, "SMTP_CHECK", opens: .smtpCheck),
    Entry(.realServer, "DNS_CHECK", opens: .dnsCheck),
    Entry(.realServer, "MISC_CHECK", opens: .miscCheck),
    Entry(.realServer, "PING_CHECK", opens: .pingCheck),
    Entry(.realServer, "UDP_CHECK", opens: .udpCheck),
    Entry(.realServer, "FILE_CHECK", opens: .fileCheck),
    Entry(.realServer, "BFD_CHECK", opens: .bfdCheck),
    Entry(.lbd, "connections interface port workers local_ports tunnel_fragments sysctl helper", .acted),
    Entry(.lbd, "mark_rules", opens: .markRules, .acted),
  ]

  private static let common = """
    connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark retry delay_before_retry warmup delay_loop
    alpha log_all_failures
    """

  private static let checkers: [Entry] = [
    Entry(.tcpCheck, common), Entry(.pingCheck, common), Entry(.dnsCheck, common + " type name"),
    Entry(.smtpCheck, common + " helo_name"), Entry(.smtpCheck, "host", opens: .smtpHost),
    Entry(.smtpHost, common), Entry(.smtpHost, "helo_name"),
    Entry(.udpCheck, common + " payload require_reply min_reply_length max_reply_length"),
    Entry(.httpGet, common + " virtualhost http_protocol enable_sni fast_recovery nb_get_retry"),
    Entry(.httpGet, "url", opens: .url),
    Entry(
      .url,
      """
      path digest status_code virtualhost regex regex_no_match regex_options regex_min_offset regex_max_offset
      regex_stack
      """),
    Entry(
      .miscCheck,
      """
      misc_path misc_timeout misc_dynamic user retry delay_before_retry warmup delay_loop alpha log_all_failures
      """),
    Entry(.fileCheck, "track_file weight"), Entry(.bfdCheck, "name alpha"),
    Entry(.ssl, "password ca certificate key"),
  ]

  private static let vrrp: [Entry] = [
    Entry(
      .vrrpInstance,
      """
      version state interface use_vmac vmac_xmit_base use_vmac_addr use_ipvlan virtual_router_id priority advert_int
      no_virtual_ipaddress mcast_src_ip unicast_src_ip track_src_ip mcast_dst_ip unicast_ttl unicast_fault_no_peer
      check_unicast_src old_unicast_checksum nopreempt preempt preempt_delay accept no_accept
      garp_master_delay garp_master_repeat garp_master_refresh garp_master_refresh_repeat garp_lower_prio_delay
      garp_lower_prio_repeat garp_extra_if down_timer_adverts lower_prio_no_advert higher_prio_send_advert
      dont_track_primary skip_check_adv_addr strict_mode promote_secondaries linkbeat_use_polling native_ipv6
      kernel_rx_buf_size debug vrf lvs_sync_daemon_interface
      notify notify_master notify_backup notify_fault notify_stop notify_deleted notify_master_rx_lower_pri smtp_alert
      """),
    Entry(.vrrpInstance, "authentication", opens: .authentication),
    Entry(.authentication, "auth_type auth_pass"),
    Entry(
      .vrrpInstance,
      """
      virtual_ipaddress virtual_ipaddress_excluded virtual_routes virtual_rules unicast_peer
      track_interface track_script track_file track_process track_bfd
      """, opens: .values),
    Entry(
      .vrrpSyncGroup,
      """
      notify notify_master notify_backup notify_fault notify_stop smtp_alert global_tracking sync_group_tracking_weight
      """),
    Entry(
      .vrrpSyncGroup, "group track_interface track_script track_file track_process track_bfd", opens: .values),
    Entry(.vrrpScript, "script interval timeout weight rise fall user init_fail"),
    Entry(.trackFile, "file weight init_file"),
    Entry(
      .vrrpTrackProcess,
      """
      process param_match weight quorum quorum_max fork_delay terminate_delay delay full_command
      """),
    Entry(
      .bfdInstance,
      """
      neighbor_ip source_ip min_rx min_tx idle_tx multiplier passive ttl hoplimit max_hops weight vrrp checker
      """),
    Entry(.garpGroup, "garp_interval gna_interval interface"),
    Entry(.garpGroup, "interfaces", opens: .values),
  ]
}
