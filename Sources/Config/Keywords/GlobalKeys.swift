import Wire

// `global_defs` as a table. What lbd has no use for is not here but in the vocabulary, with the reason.

enum GlobalKeys {
  static let table = KeyTable<GlobalSettings>(mail + fifos + scripts + services + vrrp + announcement)

  private static let mail: [Key<GlobalSettings>] = [
    .text("router_id", \.routerID, "NAME"),
    Key("notification_email", "{ ADDRESS … }", show: { listText($0.mail.recipients) }) {
      directive, globals, diagnostics in
      for line in directive.block?.directives ?? [] {
        for word in line.words.prefix(100) where !globals.mail.recipients.contains(word.text) {
          guard globals.mail.recipients.count < 1000, word.text.utf8.count <= 320 else {
            directive.refuse(word, "at most 1000 addresses of 320 bytes", &diagnostics)
            return true
          }
          globals.mail.recipients.append(word.text)
        }
      }
      return true
    },
    .text("notification_email_from", \.mail.sender, "ADDRESS"),
    Key("smtp_server", "HOST [PORT]", show: { $0.mail.server.map { "\($0)" } }) { directive, globals, diagnostics in
      guard let server = directive.text(0, "a host", &diagnostics) else { return false }
      var port = 25
      if directive.words.count > 2 {
        guard let given = directive.number(1, in: 1...65535, &diagnostics) else { return false }
        port = given
      }
      (globals.mail.server, globals.mail.port) = (server, port)
      return true
    },
    .text("smtp_helo_name", \.mail.heloName, "NAME"),
    Key("smtp_connect_timeout", "1…4294 s", show: { $0.mail.connectTimeout.secondsText }) {
      directive, globals, diagnostics in
      guard let value = directive.number(in: 0...4294, &diagnostics) else { return false }
      if value == 0 {
        diagnostics.warning(at: directive.position, "'smtp_connect_timeout 0' is read as 1 second")
      }
      globals.mail.connectTimeout = .seconds(max(value, 1))
      return true
    },
    .flag("smtp_alert", \.mail.alert),
    .flag("smtp_alert_vrrp", \.mail.alertVRRP),
    .flag("smtp_alert_checker", \.mail.alertChecker),
    .presence("no_email_faults", \.mail.omitsFaults),
    .presence("no_checker_emails", \.mail.omitsCheckers),
  ]

  private static let fifos: [Key<GlobalSettings>] = [
    fifo("notify_fifo", \.fifo), .command("notify_fifo_script", \.fifo.script),
    fifo("vrrp_notify_fifo", \.vrrpFIFO), .command("vrrp_notify_fifo_script", \.vrrpFIFO.script),
    fifo("lvs_notify_fifo", \.lvsFIFO), .command("lvs_notify_fifo_script", \.lvsFIFO.script),
    .presence("fifo_write_vrrp_states_on_reload", \.writesStatesOnReload),
  ]

  private static func fifo(_ name: String, _ path: Property<GlobalSettings, NotifyFIFO>) -> Key<GlobalSettings> {
    Key(name, "PATH [USER [GROUP]]", show: { $0[keyPath: path].path }) { directive, globals, diagnostics in
      guard let file = directive.text(0, "a path", &diagnostics) else { return false }
      globals[keyPath: path].path = file
      globals[keyPath: path].user = directive.words.count > 2 ? directive.words[2].text : nil
      globals[keyPath: path].group = directive.words.count > 3 ? directive.words[3].text : nil
      return true
    }
  }

  private static let scripts: [Key<GlobalSettings>] = [
    Key("script_user", "USER [GROUP]", show: { $0.scripts.user }) { directive, globals, diagnostics in
      guard let user = directive.text(0, "a user", &diagnostics) else { return false }
      globals.scripts.user = user
      globals.scripts.group = directive.words.count > 2 ? directive.words[2].text : nil
      return true
    },
    .flag("enable_script_security", \.scripts.isSecure),
    .command("startup_script", \.scripts.startup),
    .integer("startup_script_timeout", \.scripts.startupTimeoutSeconds, 1...1000),
    .command("shutdown_script", \.scripts.shutdown),
    .integer("shutdown_script_timeout", \.scripts.shutdownTimeoutSeconds, 1...1000),
  ]

  private static let services: [Key<GlobalSettings>] = [
    .flag("checker_log_all_failures", \.logsAllCheckFailures),
    .presence("rs_init_notifies", \.notifiesAtStart),
    .text("default_interface", \.defaultInterface, "INTERFACE"),
    .presence("dynamic_interfaces", \.allowsMissingInterfaces),
    Key(
      "lvs_sync_daemon", "INTERFACE [INSTANCE] [id N] [maxlen N] [port N] [ttl N] [group IP]",
      show: { $0.syncDaemon?.text }
    ) { directive, globals, diagnostics in
      guard let daemon = SyncDaemonDefinition(directive, &diagnostics) else { return false }
      globals.syncDaemon = daemon
      return true
    },
    .presence("lvs_flush", \.flushesAtStart),
    .presence("lvs_flush_on_stop", \.flushesAtStop),
  ]

  private static let vrrp: [Key<GlobalSettings>] = [
    Key("vrrp_version", "2 | 3", show: { "\($0.vrrp.version)" }) { directive, globals, diagnostics in
      guard let value = directive.number(in: 2...3, isStrict: true, &diagnostics) else { return false }
      (globals.vrrp.version, globals.vrrp.isVersionGiven) = (value, true)
      return true
    },
    .flag("v3_checksum_as_v2", \.vrrp.usesPlainChecksum),
    group("vrrp_mcast_group4", \.vrrp.group4), group("vrrp_mcast_group6", \.vrrp.group6),
    .integer("vrrp_down_timer_adverts", \.vrrp.election.downTimerAdverts, 1...100, isStrict: true),
    .flag("vrrp_lower_prio_no_advert", \.vrrp.election.lowerPriorityNoAdvert),
    .flag("vrrp_higher_prio_send_advert", \.vrrp.election.higherPrioritySendAdvert),
    .flag("vrrp_owner_ignore_adverts", \.vrrp.election.ownerIgnoresAdverts),
    .flag("vrrp_check_unicast_src", \.vrrp.checksUnicastSource),
    .flag("vrrp_skip_check_adv_addr", \.vrrp.election.skipsAddressCheck),
    .flag("vrrp_strict", \.vrrp.election.isStrict),
    .flag("vrrp_notify_priority_changes", \.vrrp.notifiesPriorityChanges),
    .time("vrrp_startup_delay", \.vrrp.startupDelay, .zero...Duration.longest),
    .time("vrrp_delay_after_boot", \.vrrp.delayAfterBoot, .zero...Duration.longest),
    .flag("log_unknown_vrids", \.vrrp.logsUnknownRouters),
    .text("vmac_prefix", \.vrrp.virtualMACPrefix, "PREFIX"),
    .text("vmac_addr_prefix", \.vrrp.addressMACPrefix, "PREFIX"),
  ]

  private static func group(_ name: String, _ path: Property<GlobalSettings, IPAddress>) -> Key<GlobalSettings> {
    Key(name, "GROUP", show: { "\($0[keyPath: path])" }) { directive, globals, diagnostics in
      guard let address = directive.numericAddress(0, &diagnostics) else { return false }
      guard address.isMulticast, address.family == globals[keyPath: path].family else {
        directive.refuse(directive.words[1], "a multicast address of the family", &diagnostics)
        return false
      }
      globals[keyPath: path] = address
      return true
    }
  }

  private static let announcement: [Key<GlobalSettings>] = [
    .time("vrrp_garp_master_delay", \.vrrp.announcement.masterDelay, .zero...Duration.longest),
    .integer("vrrp_garp_master_repeat", \.vrrp.announcement.masterRepeat, 1...Int(UInt32.max)),
    .time("vrrp_garp_master_refresh", \.vrrp.announcement.masterRefresh, .zero...Duration.longest),
    .integer("vrrp_garp_master_refresh_repeat", \.vrrp.announcement.masterRefreshRepeat, 1...Int(UInt32.max)),
    .time("vrrp_garp_lower_prio_delay", \.vrrp.announcement.lowerPriorityDelay, .zero...Duration.longest),
    .integer("vrrp_garp_lower_prio_repeat", \.vrrp.announcement.lowerPriorityRepeat, 0...Int(UInt32.max)),
    .time("vrrp_garp_interval", \.vrrp.announcement.arpInterval, .zero...Duration.longest),
    .time("vrrp_gna_interval", \.vrrp.announcement.neighbourInterval, .zero...Duration.longest),
    .flag("vrrp_min_garp", \.vrrp.usesMinimalAnnouncement),
    VRRPKeys.extraInterface("vrrp_garp_extra_if", \.vrrp.announcement),
  ]
}

func listText(_ words: [String]) -> String? {
  words.isEmpty ? nil : "{ " + words.joined(separator: " ") + " }"
}

extension SyncDaemonDefinition {
  /// `INTERFACE [[inst] INSTANCE] [id N] [maxlen N] [port N] [ttl N] [group IP]`
  init?(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    guard let interface = directive.interfaceName(&diagnostics) else { return nil }
    self.interface = interface
    var index = 1
    while directive.words.count > index + 1 {
      let word = directive.words[index + 1]
      let value = index + 1
      switch word.text {
      case "id":
        guard let number = directive.number(value, in: 0...255, &diagnostics) else { return nil }
        syncID = number
      case "maxlen":
        guard let number = directive.number(value, in: 24...65507, &diagnostics) else { return nil }
        lengthLimit = number
      case "port":
        guard let number = directive.number(value, in: 1...65535, &diagnostics) else { return nil }
        port = number
      case "ttl":
        guard let number = directive.number(value, in: 1...255, &diagnostics) else { return nil }
        hopLimit = number
      case "group":
        guard let address = directive.numericAddress(value, &diagnostics) else { return nil }
        group = address
      case "inst":
        guard let name = directive.text(value, "an instance", &diagnostics) else { return nil }
        instance = name
      default:
        guard index == 1 else {
          directive.refuse(word, "inst, id, maxlen, port, ttl or group", &diagnostics)
          return nil
        }
        instance = word.text
        index -= 1
      }
      index += 2
    }
  }

  /// As it would be written.
  var text: String {
    [
      interface, instance, syncID.map { "id \($0)" }, lengthLimit.map { "maxlen \($0)" },
      "port \(port) ttl \(hopLimit) group \(group)",
    ].compactMap(\.self).joined(separator: " ")
  }
}
