// The blocks that say nothing about forwarding: globals, VRRP, what is tracked, certificates.
//
// Each name is known before anything refers to it, whatever the order of the text; keepalived does not resolve forward
// references to trackers, so they are pointed out (VRRPRules).

extension Configuration {
  /// Reads `global_defs`: its values are what other blocks begin with.
  mutating func readGlobals(_ root: Block, _ diagnostics: inout DiagnosticList) {
    for directive in root.directives where directive.isBlock("global_defs") {
      GlobalKeys.table.read(directive.block, into: &globals, &diagnostics)
    }
    for directive in root.directives where directive.isBlock("SSL") {
      var client = TLSClient()
      TLSClient.table.read(directive.block, into: &client, &diagnostics)
      tls = client
    }
    if globals.vrrp.usesMinimalAnnouncement { globals.applyMinimalAnnouncement() }
  }

}

/// Reads everything of VRRP, and what is tracked.
struct VRRPReader {
  private(set) var vrrp = VRRPConfiguration()
  private let globals: GlobalSettings
  /// Keyword and name of every block so far.
  private var names: Set<[String]> = []

  init(globals: GlobalSettings) { self.globals = globals }

  mutating func read(_ root: Block, _ diagnostics: inout DiagnosticList) {
    for directive in root.directives where directive.block != nil && !directive.words[0].isQuoted {
      readTracked(directive, &diagnostics)
      readStatic(directive, &diagnostics)
    }
    for directive in root.directives where directive.isBlock("vrrp_instance") {
      guard let name = newName(of: directive, &diagnostics) else { continue }
      var instance = VRRPInstance(name: name, defaults: globals.vrrp, position: directive.position)
      instance.network.checksUnicastSource = globals.vrrp.checksUnicastSource
      instance.network.usesPlainChecksum = globals.vrrp.usesPlainChecksum
      VRRPKeys.instance.read(directive.block, into: &instance, &diagnostics)
      vrrp.instances.append(instance)
    }
    for directive in root.directives where directive.isBlock("vrrp_sync_group") {
      guard let name = newName(of: directive, &diagnostics) else { continue }
      var group = VRRPSyncGroup(name: name, position: directive.position)
      VRRPKeys.group.read(directive.block, into: &group, &diagnostics)
      vrrp.groups.append(group)
    }
  }

  private mutating func readTracked(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    switch directive.keyword {
    case "vrrp_script":
      guard let name = newName(of: directive, &diagnostics) else { return }
      var script = TrackedScript(name: name, position: directive.position)
      TrackingKeys.script.read(directive.block, into: &script, &diagnostics)
      vrrp.scripts.append(script)
    case "track_file", "vrrp_track_file":
      guard let name = newName(of: directive, &diagnostics) else { return }
      var file = TrackedFile(name: name, position: directive.position)
      TrackingKeys.file.read(directive.block, into: &file, &diagnostics)
      vrrp.files.append(file)
    case "vrrp_track_process":
      guard let name = newName(of: directive, &diagnostics) else { return }
      var process = TrackedProcess(name: name, position: directive.position)
      TrackingKeys.process.read(directive.block, into: &process, &diagnostics)
      vrrp.processes.append(process)
    case "bfd_instance":
      guard let name = newName(of: directive, &diagnostics) else { return }
      var session = BFDInstance(name: name, position: directive.position)
      TrackingKeys.bfd.read(directive.block, into: &session, &diagnostics)
      vrrp.sessions.append(session)
    case "garp_group":
      var group = GARPGroup(position: directive.position)
      TrackingKeys.garpGroup.read(directive.block, into: &group, &diagnostics)
      vrrp.garpGroups.append(group)
    default: break
    }
  }

  private mutating func readStatic(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    switch directive.keyword {
    case "static_ipaddress": vrrp.staticAddresses += VirtualAddress.read(directive, &diagnostics)
    case "static_routes": vrrp.staticRoutes += VirtualRoute.read(directive, &diagnostics)
    case "static_rules": vrrp.staticRules += VirtualRule.read(directive, &diagnostics)
    case "track_group", "static_track_group":
      guard let name = newName(of: directive, &diagnostics) else { return }
      let lines = directive.block?.directives ?? []
      vrrp.trackGroups[name] = lines.filter { $0.keyword == "group" }
        .flatMap { $0.listedWords(&diagnostics) }.map(\.text)
    case "interface_up_down_delays":
      vrrp.interfaceDelays += directive.lines(limit: 1000, &diagnostics).compactMap { InterfaceDelay($0, &diagnostics) }
    case "linkbeat_interfaces":
      vrrp.polledInterfaces += directive.lines(limit: 1000, &diagnostics).map(\.keyword).filter(isInterfaceName)
    default: break
    }
  }

  /// The name behind the keyword. keepalived passes over the second block of a name.
  private mutating func newName(of directive: Directive, _ diagnostics: inout DiagnosticList) -> String? {
    guard let name = directive.text(0, "a name", &diagnostics) else { return nil }
    if names.insert([directive.keyword, name]).inserted { return name }
    diagnostics.warning(
      at: directive.position, "there is a \(directive.keyword) \(quoted(name)) already, this one is left out",
      remedy: "rename one")
    return nil
  }
}

extension GlobalSettings {
  /// `vrrp_min_garp`: one announcement, and nothing later, where nothing else was said.
  fileprivate mutating func applyMinimalAnnouncement() {
    let written = Set(origins.entries.map(\.key))
    if !written.contains("vrrp_garp_master_repeat") { vrrp.announcement.masterRepeat = 1 }
    if !written.contains("vrrp_garp_master_delay") { vrrp.announcement.masterDelay = .zero }
    if !written.contains("vrrp_garp_master_refresh") { vrrp.announcement.masterRefresh = .zero }
    if !written.contains("vrrp_garp_master_refresh_repeat") { vrrp.announcement.masterRefreshRepeat = 1 }
    if !written.contains("vrrp_garp_lower_prio_repeat") { vrrp.announcement.lowerPriorityRepeat = 1 }
    if !written.contains("vrrp_garp_lower_prio_delay") { vrrp.announcement.lowerPriorityDelay = .zero }
  }
}

extension Directive {
  fileprivate func isBlock(_ name: String) -> Bool { block != nil && !words[0].isQuoted && keyword == name }
}
