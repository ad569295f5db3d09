// The words of `global_defs`.

extension Vocabulary {
  static let globalDefs: [Entry] = [
    Entry(.globalDefs, "lvs_timeouts", .acted),
    Entry(.globalDefs, "notification_email", opens: .values, .none(.notification)),
    Entry(
      .globalDefs,
      """
      router_id notification_email_from smtp_server smtp_helo_name smtp_connect_timeout smtp_alert smtp_alert_vrrp
      smtp_alert_checker no_email_faults no_checker_emails rs_init_notifies
      notify_fifo notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script lvs_notify_fifo lvs_notify_fifo_script
      fifo_write_vrrp_states_on_reload vrrp_notify_priority_changes
      """, .none(.notification)),
    Entry(.globalDefs, "checker_log_all_failures", .acted),
    Entry(
      .globalDefs,
      """
      vrrp_version v3_checksum_as_v2 vrrp_mcast_group4 vrrp_mcast_group6 default_interface
      vrrp_garp_master_delay vrrp_garp_master_repeat vrrp_garp_master_refresh vrrp_garp_master_refresh_repeat
      vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat vrrp_garp_interval vrrp_gna_interval vrrp_min_garp
      vrrp_garp_extra_if vrrp_down_timer_adverts vrrp_lower_prio_no_advert vrrp_higher_prio_send_advert
      vrrp_check_unicast_src vrrp_skip_check_adv_addr vrrp_strict vrrp_owner_ignore_adverts
      dynamic_interfaces vrrp_startup_delay vrrp_delay_after_boot log_unknown_vrids disable_local_igmp
      vmac_prefix vmac_addr_prefix
      """, .none(.vrrp)),
    Entry(.globalDefs, "lvs_sync_daemon", .none(.synchronisation)),
    Entry(
      .globalDefs,
      """
      script_user enable_script_security startup_script startup_script_timeout shutdown_script shutdown_script_timeout
      """, .none(.scripts)),
    Entry(.globalDefs, "lvs_flush lvs_flush_on_stop", .none(.noKernelTable)),
    Entry(
      .globalDefs,
      """
      vrrp_iptables vrrp_ipsets nftables nftables_priority nftables_counters nftables_ifindex nftables_ipvs
      nftables_ipvs_priority nftables_ipvs_start_fwmark
      """, .none(.noFirewall)),
    Entry(
      .globalDefs,
      """
      vrrp_priority checker_priority bfd_priority vrrp_rt_priority checker_rt_priority bfd_rt_priority
      vrrp_no_swap checker_no_swap bfd_no_swap vrrp_cpu_affinity checker_cpu_affinity bfd_cpu_affinity
      vrrp_rlimit_rttime checker_rlimit_rttime bfd_rlimit_rttime max_auto_priority min_auto_priority_delay
      process_name process_names vrrp_process_name checker_process_name bfd_process_name
      thread_timer_expired timer_expired_backup
      """, .none(.oneProcess)),
    Entry(.globalDefs, "umask random_seed", .none(.serviceManager)),
    Entry(
      .globalDefs,
      """
      config_save_dir tmp_config_directory data_use_instance json_version state_dump_file stats_dump_file json_dump_file
      use_symlink_paths tls_compliant iproute_usr_dir iproute_etc_dir
      """, .none(.ownFiles)),
    Entry(
      .globalDefs, "reload_check_config reload_time_file reload_repeat reload_file", .none(.checkedReload)),
    Entry(.globalDefs, "include_check", .acted),
    Entry(
      .globalDefs,
      """
      enable_snmp_vrrp enable_snmp_keepalived enable_snmp_checker enable_snmp_rfc enable_snmp_rfcv2 enable_snmp_rfcv3
      enable_traps snmp_socket snmp_vrrp_stats_update_interval snmp_rs_stats_update_interval
      snmp_vs_stats_update_interval
      """, .none(.noSNMP)),
    Entry(.globalDefs, "enable_dbus dbus_service_name dbus_no_interface_name", .none(.noDBus)),
    Entry(
      .globalDefs,
      """
      vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force
      vrrp_netlink_monitor_rcv_bufs vrrp_netlink_monitor_rcv_bufs_force lvs_netlink_cmd_rcv_bufs
      lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs lvs_netlink_monitor_rcv_bufs_force
      process_monitor_rcv_bufs process_monitor_rcv_bufs_force
      """, .none(.ownBuffers)),
  ]
}
