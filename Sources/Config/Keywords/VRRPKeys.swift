import Wire

// `vrrp_instance` and `vrrp_sync_group` as tables.

enum VRRPKeys {
  static let instance = KeyTable<VRRPInstance>(
    identity + network + election + announcement + addresses + tracking() + notification() + endings)

  /// The keywords of scripts that instances and groups share.
  private static let events = ["notify", "notify_master", "notify_backup", "notify_fault", "notify_stop"]

  static let group = KeyTable<VRRPSyncGroup>(
    [
      Key("group", "{ INSTANCE … }", show: { listText($0.members) }) { directive, group, diagnostics in
        for word in directive.listedWords(&diagnostics) where !group.members.contains(word.text) {
          guard group.members.count < Defaults.listedNamesMax else { return directive.reportTooMany(&diagnostics) }
          group.members.append(word.text)
        }
        return true
      },
      .flag("global_tracking", \.tracksGlobally), .flag("sync_group_tracking_weight", \.usesTrackingWeight),
    ] + tracking() + notification())

  private static let identity: [Key<VRRPInstance>] = [
    .integer("version", \.version, 2...3, isStrict: true),
    .choice("state", \.state, VRRPInstance.State.allCases.map { ($0.rawValue, $0) }, show: { $0?.rawValue }),
    .interface("interface", \.interface),
    .integer("virtual_router_id", \.routerID, 1...255, isStrict: true),
    .integer("priority", \.priority, 1...255, isStrict: true),
    .time("advert_int", \.advertInterval, .milliseconds(10)...Duration.seconds(255)),
    Key("authentication", "{ auth_type PASS | AH  auth_pass TEXT }", show: { $0.authentication?.kind.rawValue }) {
      $1.readAuthentication($0, &$2)
    },
  ]

  private static let network: [Key<VRRPInstance>] = [
    Key("use_vmac", "[INTERFACE] [MAC]", show: { $0.network.virtualMAC.map { $0.interface ?? "on" } }) {
      directive, instance, _ in
      var mac = VRRPVirtualMAC()
      for word in directive.arguments.prefix(2) {
        if let address = EthernetAddress(word.text) { mac.address = address } else { mac.interface = word.text }
      }
      instance.network.virtualMAC = mac
      return true
    },
    .presence("vmac_xmit_base", \.network.sendsFromBase),
    .presence("use_vmac_addr", \.network.usesVirtualMACForAddresses),
    Key("use_ipvlan", "[INTERFACE] [IP] [TYPE]", show: { $0.network.ipvlan?.joined(separator: " ") }) {
      directive, instance, _ in
      instance.network.ipvlan = directive.arguments.prefix(4).map(\.text)
      return true
    },
    source("mcast_src_ip", isUnicast: false), source("unicast_src_ip", isUnicast: true),
    .presence("track_src_ip", \.network.tracksSource),
    Key("mcast_dst_ip", "GROUP", show: { $0.network.group.map { "\($0)" } }) { directive, instance, diagnostics in
      guard let address = directive.numericAddress(0, &diagnostics) else { return false }
      guard address.isMulticast else {
        directive.refuse(directive.words[1], "a multicast address", &diagnostics)
        return false
      }
      instance.network.group = address
      return true
    },
    Key(
      "unicast_peer", "{ IP [min_ttl N] [max_ttl N] … }",
      show: { listText($0.network.peers.map { "\($0.address)" }) }
    ) { $1.network.readPeers($0, &$2) },
    .integer("unicast_ttl", \.network.unicastHopLimit, 0...255, isStrict: true),
    .presence("unicast_fault_no_peer", \.network.faultsWithoutPeers),
    .flag("check_unicast_src", \.network.checksUnicastSource),
    Key("old_unicast_checksum", "[never]", show: { $0.network.oldUnicastChecksum.map { $0 ? "on" : "never" } }) {
      directive, instance, _ in
      instance.network.oldUnicastChecksum = directive.words.dropFirst().first?.text != "never"
      return true
    },
    .presence("native_ipv6", \.network.isNativeIPv6),
    .text("vrf", \.network.vrf, "INTERFACE"),
    .integer("kernel_rx_buf_size", \.network.receiveBufferBytes, 1...Int(Int32.max)),
    .flag("v3_checksum_as_v2", \.network.usesPlainChecksum),
  ]

  private static func source(_ name: String, isUnicast: Bool) -> Key<VRRPInstance> {
    Key(name, "IP", show: { $0.network.source.map { "\($0)" } }) { directive, instance, diagnostics in
      guard let address = directive.numericAddress(0, &diagnostics) else { return false }
      instance.network.source = address
      if isUnicast { instance.network.isUnicast = true }
      return true
    }
  }

  private static let election: [Key<VRRPInstance>] = [
    .presence("nopreempt", \.election.nopreempt),
    .presence("preempt", \.election.nopreempt, sets: false),
    .time("preempt_delay", \.election.preemptDelay, .zero...Duration.seconds(1000)),
    .integer("down_timer_adverts", \.election.downTimerAdverts, 1...100, isStrict: true),
    .flag("lower_prio_no_advert", \.election.lowerPriorityNoAdvert),
    .flag("higher_prio_send_advert", \.election.higherPrioritySendAdvert),
    .flag("owner_ignore_adverts", \.election.ownerIgnoresAdverts),
    .flag("skip_check_adv_addr", \.election.skipsAddressCheck),
    .flag("strict_mode", \.election.isStrict),
    accept("accept", true), accept("no_accept", false),
    .presence("dont_track_primary", \.tracking.ignoresPrimary),
  ]

  private static func accept(_ name: String, _ value: Bool) -> Key<VRRPInstance> {
    Key(name, "", show: { $0.election.acceptsTraffic == value ? "on" : nil }) { _, instance, _ in
      instance.election.acceptsTraffic = value
      return true
    }
  }

  private static let announcement: [Key<VRRPInstance>] = [
    .time("garp_master_delay", \.announcement.masterDelay, .zero...Duration.longest),
    .integer("garp_master_repeat", \.announcement.masterRepeat, 1...Int(UInt32.max)),
    .time("garp_master_refresh", \.announcement.masterRefresh, .zero...Duration.longest),
    .integer("garp_master_refresh_repeat", \.announcement.masterRefreshRepeat, 1...Int(UInt32.max)),
    .time("garp_lower_prio_delay", \.announcement.lowerPriorityDelay, .zero...Duration.longest),
    .integer("garp_lower_prio_repeat", \.announcement.lowerPriorityRepeat, 0...Int(UInt32.max)),
    extraInterface("garp_extra_if", \.announcement),
  ]

  /// `[all] SECONDS`
  static func extraInterface<Model>(
    _ name: String, _ path: Property<Model, VRRPAnnouncement>
  ) -> Key<Model> {
    Key(
      name, "[all] 1…86400 s",
      show: {
        let interval = $0[keyPath: path].extraInterfaceInterval
        return interval == .zero ? nil : interval.secondsText
      }
    ) { directive, model, diagnostics in
      let isAll = directive.words.dropFirst().first?.text == "all"
      guard let value = directive.number(isAll ? 1 : 0, in: 1...86400, &diagnostics) else { return false }
      model[keyPath: path].extraInterfaceInterval = .seconds(value)
      model[keyPath: path].coversAllExtraInterfaces = isAll
      return true
    }
  }

  private static let addresses: [Key<VRRPInstance>] = [
    Key(
      "virtual_ipaddress", "{ IP[/LENGTH] [dev IF] [label L] … }",
      show: { listText($0.addresses.virtual.map { "\($0.prefix)" }) }
    ) { directive, instance, diagnostics in
      instance.addresses.virtual += VirtualAddress.read(directive, &diagnostics)
      return true
    },
    Key(
      "virtual_ipaddress_excluded", "{ IP[/LENGTH] [dev IF] … }",
      show: { listText($0.addresses.excluded.map { "\($0.prefix)" }) }
    ) { directive, instance, diagnostics in
      instance.addresses.excluded += VirtualAddress.read(directive, &diagnostics)
      return true
    },
    Key("virtual_routes", "{ ROUTE … }", show: { $0.addresses.routes.isEmpty ? nil : "\($0.addresses.routes.count)" }) {
      directive, instance, diagnostics in
      instance.addresses.routes += VirtualRoute.read(directive, &diagnostics)
      return true
    },
    Key("virtual_rules", "{ RULE … }", show: { $0.addresses.rules.isEmpty ? nil : "\($0.addresses.rules.count)" }) {
      directive, instance, diagnostics in
      instance.addresses.rules += VirtualRule.read(directive, &diagnostics)
      return true
    },
    .presence("promote_secondaries", \.addresses.promotesSecondaries),
    .presence("no_virtual_ipaddress", \.addresses.mayBeEmpty),
    .interface("lvs_sync_daemon_interface", \.addresses.syncInterface),
  ]

  private static let endings: [Key<VRRPInstance>] = [
    Key("notify_deleted", "[\"COMMAND\" [USER [GROUP]]]", show: { $0.notification.tellsDeletion ? "on" : "off" }) {
      directive, instance, diagnostics in
      instance.notification.tellsDeletion = true
      if directive.words.count > 1 {
        instance.notification.scripts["notify_deleted"] = ScriptCommand(directive, &diagnostics)
      }
      return true
    },
    .command("notify_master_rx_lower_pri", \.notification.scripts["notify_master_rx_lower_pri"]),
  ]

  private static func tracking<Model: Tracking>() -> [Key<Model>] {
    [
      list("track_interface", \Model.tracking.interfaces, weights: -254...254),
      list("track_script", \Model.tracking.scripts, weights: -254...254),
      list("track_file", \Model.tracking.files, weights: -254...254),
      list("track_process", \Model.tracking.processes, weights: -254...254),
      list("track_bfd", \Model.tracking.sessions, weights: -254...254),
    ]
  }

  private static func list<Model: Tracking>(
    _ name: String, _ path: Property<Model, [VRRPTracking.Reference]>, weights: ClosedRange<Int>
  ) -> Key<Model> {
    Key(name, "{ NAME [weight N [reverse | noreverse]] … }", show: { listText($0[keyPath: path].map(\.name)) }) {
      directive, model, diagnostics in
      for line in directive.lines(limit: 1000, &diagnostics) {
        guard let reference = VRRPTracking.Reference(line, weights: weights, &diagnostics) else { continue }
        guard model[keyPath: path].count < Defaults.listedNamesMax else { return directive.reportTooMany(&diagnostics) }
        guard !model[keyPath: path].contains(where: { $0.name == reference.name }) else {
          diagnostics.warning(at: line.position, "\(quoted(reference.name)) is tracked already, this line is left out")
          continue
        }
        model[keyPath: path].append(reference)
      }
      return true
    }
  }

  private static func notification<Model: Notifying>() -> [Key<Model>] {
    events.map { event in
      .command(event, \Model.notification.scripts[event])
    } + [
      .flag("smtp_alert", \Model.notification.smtpAlert),
      .flag("notify_priority_changes", \Model.notification.priorityChanges),
    ]
  }
}

/// A block with things to watch.
protocol Tracking: Traced, Sendable {
  var tracking: VRRPTracking { get set }
}

/// A block with somebody to tell.
protocol Notifying: Traced, Sendable {
  var notification: VRRPNotification { get set }
}

extension VRRPInstance: Tracking, Notifying {}
extension VRRPSyncGroup: Tracking, Notifying {}
