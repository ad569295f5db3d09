// The words of VRRP, and of what it watches.

extension Vocabulary {
  private static let tracked = "track_interface track_script track_file track_process track_bfd"
  private static let notified = """
    notify notify_master notify_backup notify_fault notify_stop smtp_alert notify_priority_changes
    """

  static let vrrp: [Entry] = [
    Entry(
      .vrrpInstance,
      """
      version state interface use_vmac vmac_xmit_base use_vmac_addr use_ipvlan virtual_router_id priority advert_int
      no_virtual_ipaddress mcast_src_ip unicast_src_ip track_src_ip mcast_dst_ip unicast_ttl unicast_fault_no_peer
      check_unicast_src old_unicast_checksum v3_checksum_as_v2 nopreempt preempt preempt_delay accept no_accept
      garp_master_delay garp_master_repeat garp_master_refresh garp_master_refresh_repeat garp_lower_prio_delay
      garp_lower_prio_repeat garp_extra_if down_timer_adverts lower_prio_no_advert higher_prio_send_advert
      owner_ignore_adverts dont_track_primary skip_check_adv_addr strict_mode promote_secondaries native_ipv6
      kernel_rx_buf_size vrf lvs_sync_daemon_interface
      """, .none(.vrrp)),
    Entry(.vrrpInstance, notified + " notify_deleted notify_master_rx_lower_pri", .none(.vrrp)),
    Entry(.vrrpInstance, "linkbeat_use_polling", .none(.carrier)),
    Entry(.vrrpInstance, "debug timer_expired_backup", .none(.oneProcess)),
    Entry(.vrrpInstance, "authentication", opens: .authentication, .none(.vrrp)),
    Entry(.authentication, "auth_type auth_pass", .none(.vrrp)),
    Entry(
      .vrrpInstance,
      """
      virtual_ipaddress virtual_ipaddress_excluded virtual_routes virtual_rules unicast_peer
      """, opens: .values, .none(.vrrp)),
    Entry(.vrrpInstance, tracked, opens: .values, .none(.vrrp)),
    Entry(.vrrpSyncGroup, notified + " global_tracking sync_group_tracking_weight", .none(.vrrp)),
    Entry(.vrrpSyncGroup, "group " + tracked, opens: .values, .none(.vrrp)),
    Entry(.trackGroup, "group", opens: .values, .none(.vrrp)),
    Entry(.vrrpScript, "script interval timeout weight rise fall user init_fail", .none(.vrrp)),
    Entry(.trackFile, "file weight init_file", .none(.vrrp)),
    Entry(
      .vrrpTrackProcess,
      """
      process param_match weight quorum quorum_max fork_delay terminate_delay delay full_command
      """, .none(.vrrp)),
    Entry(
      .bfdInstance,
      """
      neighbor_ip neighbour_ip source_ip min_rx min_tx idle_tx multiplier passive ttl hoplimit max_hops weight vrrp
      checker
      """, .none(.vrrp)),
    Entry(.garpGroup, "garp_interval gna_interval interface", .none(.vrrp)),
    Entry(.garpGroup, "interfaces", opens: .values, .none(.vrrp)),
  ]
}
