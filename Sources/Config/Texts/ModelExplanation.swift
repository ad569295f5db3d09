import Wire

// The configuration as it holds: every value, written or not, with its place. For `lbd check --explain`.

/// A block with all of its values.
public struct ExplainedBlock: Hashable, Sendable {
  /// As it would be opened: `vrrp_instance VI_1`.
  public let title: String
  /// Where it was opened; nil for one that nobody wrote.
  public let position: Position?
  /// In the order of the table of its keywords.
  public var settings: [ExplainedSetting]
  /// Blocks within.
  public var blocks: [ExplainedBlock] = []
}

extension Configuration {
  /// Everything that holds: globals, services with their servers and checks, VRRP.
  public var explained: [ExplainedBlock] {
    var blocks = [ExplainedBlock(title: "global_defs", position: nil, settings: globalSettings)]
    if let tls { blocks.append(ExplainedBlock(title: "SSL", position: nil, settings: TLSClient.table.explain(tls))) }
    blocks += services.map(\.explained)
    blocks += vrrp.explained
    return blocks
  }

  private var globalSettings: [ExplainedSetting] {
    let text = "tcp \(timeouts.tcpSeconds) tcpfin \(timeouts.tcpFinSeconds) udp \(timeouts.udpSeconds)"
    let times = ExplainedSetting(
      key: "lvs_timeouts", value: text, origin: globals.origins.position(of: "lvs_timeouts"))
    return [times] + GlobalKeys.table.explain(globals)
  }
}

extension VirtualService {
  /// Its own settings, and its servers as blocks.
  var explained: ExplainedBlock {
    let origins = monitoring.origins
    func setting(_ value: String, _ keys: String...) -> ExplainedSetting {
      let written = keys.first { origins.position(of: $0) != nil } ?? keys[0]
      return ExplainedSetting(key: written, value: value, origin: origins.position(of: written))
    }
    var settings: [ExplainedSetting] = []
    if case .address(let transport, _) = key { settings.append(setting(transport.name, "protocol")) }
    settings.append(setting(schedulerName, "lb_algo", "lvs_sched"))
    if schedulerFlags.contains(.flag1) { settings.append(setting("on", "flag-1", "sh-fallback", "mh-fallback")) }
    if schedulerFlags.contains(.flag2) { settings.append(setting("on", "flag-2", "sh-port", "mh-port")) }
    if schedulerFlags.contains(.flag3) { settings.append(setting("on", "flag-3")) }
    settings.append(setting(forwardingMethod.words, "lb_kind", "lvs_method"))
    switch clientConveyance {
    case .none: break
    case .toa: settings.append(setting("on", "toa"))
    case .proxyV1: settings.append(setting("v1", "proxy_protocol"))
    case .proxyV2: settings.append(setting("v2", "proxy_protocol"))
    }
    if let seconds = persistenceSeconds {
      settings.append(setting("\(seconds)", "persistence_timeout"))
      let mask =
        switch persistenceMask {
        case .ipv4(let mask): "\(IPAddress(v4: mask))"
        case .ipv6(let length): "\(length)"
        }
      settings.append(setting(mask, "persistence_granularity"))
    }
    if let engine = persistenceEngine { settings.append(setting(engine, "persistence_engine")) }
    if onePacket { settings.append(setting("on", "ops")) }
    if let group = localAddressGroup { settings.append(setting(group, "laddr_group_name")) }
    if let sorry = sorryServer { settings.append(setting("\(sorry.address) \(sorry.port)", "sorry_server")) }
    settings += ServiceMonitoring.table.explain(monitoring)
    let passive = monitoring.passive.map {
      ExplainedBlock(
        title: "passive_check", position: origins.position(of: "passive_check"),
        settings: PassiveCheck.table.explain($0))
    }
    return ExplainedBlock(
      title: "virtual_server \(key)", position: position, settings: settings,
      blocks: [passive].compactMap { $0 } + realServers.map { explained($0) })
  }

  private func explained(_ server: RealServer) -> ExplainedBlock {
    let watch = server.monitoring
    // What a server does not say it has from its service, so the place is the service's.
    let place = { (key: String) in watch.origins.position(of: key) ?? monitoring.origins.position(of: key) }
    func setting(_ key: String, _ value: String) -> ExplainedSetting {
      ExplainedSetting(key: key, value: value, origin: place(key))
    }
    var settings = [
      setting("weight", "\(server.weight)"),
      ExplainedSetting(
        key: "lvs_method", value: forwardingMethod(to: server).words,
        origin: place("lvs_method") ?? monitoring.origins.position(of: "lb_kind")),
      setting("uthreshold", "\(server.upperThreshold)"), setting("lthreshold", "\(server.lowerThreshold)"),
      setting("inhibit_on_failure", watch.inhibitsOnFailure ? "on" : "off"),
      ExplainedSetting(
        key: "smtp_alert", value: watch.smtpAlert ? "on" : "off", origin: watch.origins.position(of: "smtp_alert")),
    ]
    if let seconds = server.drainSeconds { settings.append(setting("drain_timeout", "\(seconds)")) }
    if let seconds = server.warmupSeconds { settings.append(setting("warmup_weight", "\(seconds)")) }
    if let script = watch.notifyUp { settings.append(setting("notify_up", script.description)) }
    if let script = watch.notifyDown { settings.append(setting("notify_down", script.description)) }
    let blocks = watch.checkers.map { checker in
      ExplainedBlock(
        title: checker.name, position: checker.position,
        settings: checker.explained { checker.origins.position(of: $0) ?? place($0) })
    }
    return ExplainedBlock(
      title: "real_server \(server.endpoint.address) \(server.endpoint.port)", position: server.position,
      settings: settings, blocks: blocks)
  }
}

extension Checker {
  /// Its schedule and its target; `place` says where a keyword was written on any level.
  func explained(_ place: (String) -> Position?) -> [ExplainedSetting] {
    var rows: [(String, String)] = []
    if case .file(let check) = kind {
      rows = [("track_file", check.file), ("weight", check.weight.map(String.init) ?? "of the track_file")]
      return rows.map { ExplainedSetting(key: $0.0, value: $0.1, origin: place($0.0)) }
    }
    if case .bfd(let name) = kind { return [ExplainedSetting(key: "name", value: name, origin: place("name"))] }
    if let address = connection.address { rows.append(("connect_ip", "\(address)")) }
    if let port = connection.port { rows.append(("connect_port", "\(port)")) }
    if let address = connection.bindAddress { rows.append(("bindto", "\(address)")) }
    if let port = connection.bindPort { rows.append(("bind_port", "\(port)")) }
    if let interface = connection.bindInterface { rows.append(("bind_if", interface)) }
    if connection.mark != 0 { rows.append(("fwmark", "\(connection.mark)")) }
    if connection.throughVIP { rows.append(("through_vip", "on")) }
    rows += [
      ("delay_loop", schedule.delayLoop.secondsText), ("connect_timeout", schedule.connectTimeout.secondsText),
      ("retry", "\(schedule.retry)"), ("delay_before_retry", schedule.delayBeforeRetry.secondsText),
      ("warmup", schedule.warmup.secondsText), ("alpha", schedule.alpha ? "on" : "off"),
      ("log_all_failures", schedule.logAllFailures ? "on" : "off"),
    ]
    switch kind {
    case .http(let check):
      rows += check.pages.map { ("url", "path \($0.path) status_code \($0.statusCodesText)") }
      if let host = check.virtualHost { rows.append(("virtualhost", host)) }
      rows.append(("http_protocol", check.version.rawValue))
    case .smtp(let check): rows.append(("helo_name", check.heloName))
    case .dns(let check): rows += [("type", check.type), ("name", check.name)]
    case .misc(let check):
      if let command = check.command { rows.append(("misc_path", command.description)) }
      rows.append(("misc_dynamic", check.isDynamic ? "on" : "off"))
    case .udp(let check): rows.append(("require_reply", check.requiresReply ? "on" : "off"))
    case .tcp, .ping, .file, .bfd: break
    }
    return rows.map { ExplainedSetting(key: $0.0, value: $0.1, origin: place($0.0)) }
  }
}

extension VRRPConfiguration {
  /// Each block with its values.
  var explained: [ExplainedBlock] {
    func block<Model: Traced>(
      _ title: String, _ position: Position, _ table: KeyTable<Model>, _ model: Model
    )
      -> ExplainedBlock
    { ExplainedBlock(title: title, position: position, settings: table.explain(model)) }
    var blocks = scripts.map { block("vrrp_script \($0.name)", $0.position, TrackingKeys.script, $0) }
    blocks += files.map { block("track_file \($0.name)", $0.position, TrackingKeys.file, $0) }
    blocks += processes.map { block("vrrp_track_process \($0.name)", $0.position, TrackingKeys.process, $0) }
    blocks += sessions.map { block("bfd_instance \($0.name)", $0.position, TrackingKeys.bfd, $0) }
    blocks += instances.map { block("vrrp_instance \($0.name)", $0.position, VRRPKeys.instance, $0) }
    blocks += groups.map { block("vrrp_sync_group \($0.name)", $0.position, VRRPKeys.group, $0) }
    blocks += garpGroups.map { block("garp_group", $0.position, TrackingKeys.garpGroup, $0) }
    return blocks
  }
}
