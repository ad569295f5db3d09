// The list of keywords for people, made of the tables that files are read by: docs/keywords.md.

/// Every keyword with its place, its form and what becomes of it.
public enum KeywordReference {
  /// The whole document.
  public static var markdown: String {
    var text = """
      # Keywords

      Every keyword of keepalived 2.2 and 2.3, and lbd's own, by block. *Acted on* is what has an effect; everything else \
      is accepted, and says why it has none. Values of the blocks for health checks, VRRP and notifications are read,
      checked against their ranges and kept, for the engines that come later: `lbd check` says the same about all of them.

      A value that does not fit is reported and leaves the default; where it decides where packets go, it refuses the file.
      Times are seconds with up to six decimals. This file is written by `lbd keywords`.

      """
    for kind in BlockKind.allCases where kind.hasKeywords && kind != .unknown {
      let entries = Vocabulary.entries.filter { $0.kind == kind }
      guard !entries.isEmpty else { continue }
      let title = kind == .root ? "The top level" : "`\(kind.name)`" + (parents[kind].map { " in `\($0)`" } ?? "")
      text += "\n## \(title)\n\n| Keyword | Form | In lbd |\n|---|---|---|\n"
      for entry in entries {
        for name in entry.keywords.sorted() {
          let form = form(of: name, in: kind, opens: entry.block)
          text += "| `\(name)` | \(form) | \(words(of: entry.effect)) |\n"
        }
      }
    }
    return text
  }

  private static func words(of effect: Keyword.Effect) -> String {
    switch effect {
    case .acted: "acted on"
    case .none(let why): "no effect, because " + why.rawValue
    case .obsolete(let why): "ignored: " + why
    }
  }

  private static func form(of name: String, in kind: BlockKind, opens block: BlockKind?) -> String {
    let form = tables[kind]?[name] ?? spoken[kind]?[name] ?? (block == nil ? "" : "{ … }")
    return form.isEmpty ? "" : "`\(form.split(separator: "|").joined(separator: "\\|"))`"
  }

  /// Where blocks stand that do not stand at the top level.
  private static let parents: [BlockKind: String] = [
    .realServer: "virtual_server", .passiveCheck: "virtual_server", .url: "HTTP_GET", .smtpHost: "SMTP_CHECK",
    .authentication: "vrrp_instance",
    .tcpCheck: "real_server", .httpGet: "real_server", .smtpCheck: "real_server", .dnsCheck: "real_server",
    .miscCheck: "real_server", .pingCheck: "real_server", .udpCheck: "real_server", .fileCheck: "real_server",
    .bfdCheck: "real_server",
  ]

  /// The forms of keywords that are rows of a table.
  static let tables: [BlockKind: [String: String]] = [
    .globalDefs: forms(GlobalKeys.table), .virtualServer: forms(ServiceMonitoring.table),
    .realServer: forms(ServerMonitoringBlock.table), .passiveCheck: forms(PassiveCheck.table),
    .ssl: forms(TLSClient.table),
    .tcpCheck: forms(CheckerKeys.tcp), .pingCheck: forms(CheckerKeys.ping), .httpGet: forms(CheckerKeys.http),
    .url: forms(CheckerKeys.page), .smtpCheck: forms(CheckerKeys.smtp), .smtpHost: forms(CheckerKeys.smtpHost),
    .dnsCheck: forms(CheckerKeys.dns), .miscCheck: forms(CheckerKeys.misc), .udpCheck: forms(CheckerKeys.udp),
    .fileCheck: forms(CheckerKeys.file), .bfdCheck: forms(CheckerKeys.bfd),
    .vrrpInstance: forms(VRRPKeys.instance), .vrrpSyncGroup: forms(VRRPKeys.group),
    .vrrpScript: forms(TrackingKeys.script), .trackFile: forms(TrackingKeys.file),
    .vrrpTrackProcess: forms(TrackingKeys.process), .bfdInstance: forms(TrackingKeys.bfd),
    .garpGroup: forms(TrackingKeys.garpGroup),
  ]

  private static func forms<Model>(_ table: KeyTable<Model>) -> [String: String] {
    Dictionary(table.keys.map { ($0.name, $0.form) }, uniquingKeysWith: { first, _ in first })
  }

  /// The forms of those that are read otherwise.
  private static let spoken: [BlockKind: [String: String]] = [
    .root: [
      "virtual_server": "IP PORT { … } | fwmark N { … } | group NAME { … }",
      "virtual_server_group": "NAME { IP[-IP | -N | /LENGTH] [PORT] | fwmark N … }",
      "local_address_group": "NAME { IP[-IP | -N | /LENGTH] … }", "vrrp_instance": "NAME { … }",
      "vrrp_sync_group": "NAME { … }", "vrrp_script": "NAME { … }", "track_file": "NAME { … }",
      "vrrp_track_file": "NAME { … }", "vrrp_track_process": "NAME { … }", "bfd_instance": "NAME { … }",
      "interface_up_down_delays": "{ INTERFACE DOWN [UP] … }",
    ],
    .globalDefs: ["lvs_timeouts": "[tcp S] [tcpfin S] [udp S]"],
    .authentication: ["auth_type": "PASS | AH", "auth_pass": "TEXT of at most 8 bytes"],
    .virtualServer: [
      "protocol": "TCP | UDP | SCTP", "lb_algo": Defaults.schedulerNames.joined(separator: " | "),
      "lvs_sched": "as lb_algo",
      "lb_kind": "NAT | DR | FNAT | TUN [type ipip | type gue port N | type gre] [csum | remcsum]",
      "lvs_method": "as lb_kind", "weight": rangeText(1...Int(Int32.max)),
      "persistence_timeout": "[0…\(Defaults.timeoutSecondsMax) s]", "persistence_granularity": "NETMASK | LENGTH",
      "persistence_engine": "sip", "laddr_group_name": "NAME", "proxy_protocol": "v1 | v2", "vlan": "1…4094",
      "drain_timeout": "0…\(Defaults.drainSecondsMax) s", "warmup_weight": "0…\(Defaults.warmupSecondsMax) s",
      "ip_family": "inet | inet6",
      "sorry_server": "IP [PORT]", "real_server": "IP [PORT] { … }",
    ],
    .realServer: [
      "weight": rangeText(0...Int(Int32.max)), "lvs_method": "as lb_kind", "uthreshold": rangeText(0...Int(Int32.max)),
      "lthreshold": rangeText(0...Int(Int32.max)), "vlan": "1…4094",
      "drain_timeout": "0…\(Defaults.drainSecondsMax) s", "warmup_weight": "0…\(Defaults.warmupSecondsMax) s",
    ],
    .lbd: [
      "connections": rangeText(Defaults.connectionCapacityRange), "workers": rangeText(1...Defaults.workerCountMax),
      "interface": "NAME …", "port": "auto | xdp | packet", "local_ports": "FIRST-LAST", "sysctl": "NAME VALUE",
      "tunnel_fragments": "inside | outside", "helper": "ftp [ports N …]",
      "web": "[IP] PORT",
    ],
  ]
}
