// Keywords that mean nothing without a value. keepalived 2.2.7 ends at once, with exit code 2, when one of these stands
// alone, even in the middle of a reload; here the line is lost and nothing else. The table is what keepalived does, keyword
// by keyword; those that it passes over without their value are left to whoever reads them.

/// Takes the lines out of a tree that lack their value.
struct RequiredValues {
  private(set) var diagnostics = DiagnosticList()

  /// The same block without those lines.
  mutating func checked(_ block: Block) -> Block { changed(block) ?? block }

  /// The block when it has such lines; nil when it stays as it is, which is nearly always.
  private mutating func changed(_ block: Block) -> Block? {
    guard block.kind.hasKeywords else { return nil }
    let keywords = RequiredValues.keywords[block.kind] ?? []
    var directives: [Directive]?
    for (index, directive) in block.directives.enumerated() {
      if let inner = directive.block {
        if let inner = changed(inner) {
          directives = directives ?? Array(block.directives[..<index])
          directives?.append(
            Directive(words: directive.words, known: directive.known, raw: directive.raw, block: inner))
          continue
        }
      } else if isAlone(directive), keywords.contains(directive.keyword) {
        directives = directives ?? Array(block.directives[..<index])
        diagnostics.fault(
          at: directive.position,
          "'\(directive.keyword)' has no value, the line is left out; keepalived would not start",
          remedy: "write the value behind it, or remove the line")
        continue
      }
      directives?.append(directive)
    }
    return directives.map { Block(kind: block.kind, directives: $0) }
  }

  /// True when nothing follows the keyword. Behind that of a command a quote that is never closed is something: keepalived
  /// complains about it, and starts.
  private func isAlone(_ directive: Directive) -> Bool {
    guard directive.words.count == 1, !directive.words[0].isQuoted else { return false }
    return !(RequiredValues.commands.contains(directive.keyword) && directive.raw.contains(UInt8(ascii: "\"")))
  }

  private static let commands: Set = [
    "notify", "notify_master", "notify_backup", "notify_fault", "notify_stop", "notify_master_rx_lower_pri",
    "notify_up", "notify_down", "quorum_up", "quorum_down",
  ]

  static let keywords: [BlockKind: Set<String>] = table.mapValues { names in
    Set(names.split(whereSeparator: \.isWhitespace).map(String.init))
  }

  private static let check = """
    connect_ip connect_port bindto bind_port bind_if connect_timeout fwmark retry delay_before_retry warmup delay_loop
    """

  private static let table: [BlockKind: String] = [
    .root: "child_wait_time",
    .globalDefs: """
    smtp_server smtp_connect_timeout vrrp_version vrrp_mcast_group4 vrrp_mcast_group6 vrrp_garp_master_delay
    vrrp_garp_master_repeat vrrp_garp_master_refresh vrrp_garp_master_refresh_repeat vrrp_garp_lower_prio_delay
    vrrp_garp_lower_prio_repeat vrrp_garp_interval vrrp_gna_interval vrrp_down_timer_adverts nftables_priority
    vrrp_rlimit_rttime checker_rlimit_rttime bfd_rlimit_rttime vrrp_startup_delay vmac_prefix vmac_addr_prefix umask
    random_seed process_name vrrp_process_name checker_process_name bfd_process_name config_save_dir
    """,
    .virtualServer: """
    protocol lb_algo lvs_sched lb_kind lvs_method weight persistence_granularity ip_family sorry_server
    persistence_engine delay_loop connect_timeout retry delay_before_retry warmup quorum hysteresis quorum_up quorum_down
    """,
    .realServer: """
    weight lvs_method uthreshold lthreshold notify_up notify_down retry delay_before_retry warmup connect_timeout
    delay_loop
    """,
    .tcpCheck: check, .pingCheck: check, .smtpCheck: check, .smtpHost: check,
    .dnsCheck: check + " type name", .httpGet: check + " nb_get_retry", .url: "path digest",
    .udpCheck: check + " min_reply_length max_reply_length",
    .miscCheck: "misc_timeout retry delay_before_retry warmup delay_loop", .fileCheck: "track_file",
    .vrrpInstance: """
    version state interface virtual_router_id priority advert_int mcast_src_ip unicast_src_ip mcast_dst_ip unicast_ttl
    preempt_delay garp_master_delay garp_master_repeat garp_master_refresh garp_master_refresh_repeat
    garp_lower_prio_delay garp_lower_prio_repeat down_timer_adverts debug vrf lvs_sync_daemon_interface
    notify notify_master notify_backup notify_fault notify_stop notify_master_rx_lower_pri
    """,
    .authentication: "auth_type auth_pass",
    .vrrpSyncGroup: "notify notify_master notify_backup notify_fault notify_stop",
    .vrrpScript: "interval timeout weight rise fall user",
    .vrrpTrackProcess: "process quorum quorum_max fork_delay terminate_delay delay",
    .bfdInstance: "neighbor_ip source_ip min_rx min_tx idle_tx multiplier ttl hoplimit max_hops weight",
    .garpGroup: "garp_interval gna_interval interface",
  ]
}
