/// `keepalived.json` in its first form: an array with an object for each instance, "data" and "stats" in it. Passwords are not
/// told.
public enum KeepalivedJSON {
  /// What stands in the place of a password.
  static let redacted = "(redacted)"

  /// The whole file.
  public static func text(_ configuration: Configuration) -> String {
    let objects = configuration.vrrp.records(configuration.globals).map { record in
      "{\"data\":{" + data(record).map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "},\"stats\":{"
        + counters.map { "\"\($0)\":0" }.joined(separator: ",") + "}}"
    }
    return "[" + objects.joined(separator: ",") + "]\n"
  }

  private static let counters = [
    "advert_rcvd", "advert_sent", "become_master", "release_master", "packet_len_err", "advert_interval_err",
    "ip_ttl_err", "invalid_type_rcvd", "addr_list_err", "invalid_authtype", "authtype_mismatch", "auth_failure",
    "pri_zero_rcvd", "pri_zero_sent",
  ]

  private typealias Field = (key: String, value: String)

  private static func data(_ record: VRRPRecord) -> [Field] {
    identity(record) + announcement(record) + election(record) + scripts(record) + lists(record) + signature(record)
  }

  private static func bit(_ value: Bool) -> String { value ? "1" : "0" }

  private static func identity(_ record: VRRPRecord) -> [Field] {
    [
      ("iname", jsonString(record.name)),
      ("dont_track_primary", bit(record.instance.tracking.ignoresPrimary)),
      ("skip_check_adv_addr", bit(record.instance.election.skipsAddressCheck)),
      ("strict_mode", bit(record.instance.election.isStrict)),
      ("vmac_ifname", jsonString(record.virtualInterface ?? "")),
      ("ifp_ifname", jsonString(record.interface)),
      ("master_priority", "0"),
      ("last_transition", "0.0"),
    ]
  }

  private static func announcement(_ record: VRRPRecord) -> [Field] {
    let announcement = record.instance.announcement
    return [
      ("garp_delay", announcement.masterDelay.secondsText),
      ("garp_refresh", announcement.masterRefresh.secondsText),
      ("garp_rep", "\(announcement.masterRepeat)"),
      ("garp_refresh_rep", "\(announcement.masterRefreshRepeat)"),
      ("garp_lower_prio_delay", record.lowerPriorityDelay.secondsText),
      ("garp_lower_prio_rep", "\(record.lowerPriorityRepeat)"),
      ("lower_prio_no_advert", bit(record.instance.election.lowerPriorityNoAdvert)),
      ("higher_prio_send_advert", bit(record.instance.election.higherPrioritySendAdvert)),
    ]
  }

  private static func election(_ record: VRRPRecord) -> [Field] {
    let instance = record.instance
    return [
      ("vrid", "\(record.routerID)"),
      ("base_priority", "\(instance.priority)"),
      ("effective_priority", "\(instance.priority)"),
      ("vipset", "false"),
      ("promote_secondaries", "\(instance.addresses.promotesSecondaries)"),
      ("adver_int", instance.advertInterval.secondsText),
      ("master_adver_int", instance.advertInterval.secondsText),
      ("accept", bit(record.accepts)),
      ("nopreempt", "\(instance.election.nopreempt)"),
      ("preempt_delay", instance.election.preemptDelay.secondsText),
      ("state", "0"),
      ("wantstate", "\(record.wanted.number)"),
      ("version", "\(instance.version)"),
      ("smtp_alert", "\(record.sendsMail)"),
      ("notify_deleted", "\(instance.notification.tellsDeletion)"),
    ]
  }

  private static func scripts(_ record: VRRPRecord) -> [Field] {
    let names = [
      ("script_master", "notify_master"), ("script_backup", "notify_backup"), ("script_fault", "notify_fault"),
      ("script_stop", "notify_stop"), ("script", "notify"),
      ("script_master_rx_lower_pri", "notify_master_rx_lower_pri"),
    ]
    return names.compactMap { key, keyword in record.script(keyword).map { (key, jsonString($0)) } }
  }

  /// Lists without entries are left out.
  private static func lists(_ record: VRRPRecord) -> [Field] {
    let (addresses, tracking) = (record.instance.addresses, record.instance.tracking)
    let lists: [(String, [String])] = [
      ("vips", addresses.virtual.map(record.line)), ("evips", addresses.excluded.map(record.line)),
      ("vroutes", addresses.routes.map(record.line)), ("vrules", addresses.rules.map(record.line)),
      ("track_ifp", tracking.interfaces.map(\.name)), ("track_script", tracking.scripts.map(\.name)),
    ]
    return lists.filter { !$0.1.isEmpty }.map { key, lines in
      (key, "[" + lines.map(jsonString).joined(separator: ",") + "]")
    }
  }

  private static func signature(_ record: VRRPRecord) -> [Field] {
    let type: Field = ("auth_type", "\(record.authentication.number)")
    return record.instance.authentication == nil ? [type] : [type, ("auth_data", jsonString(redacted))]
  }
}
