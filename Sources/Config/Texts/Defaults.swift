// Values that hold when the text does not say otherwise, and the bounds of those it does say.

/// Defaults and limits of the configuration.
public enum Defaults {
  /// The scheduler of a service that names none.
  public static let schedulerName = "wlc"
  /// A real server's weight.
  public static let weight: Int32 = 1
  /// The method in configuration files; on the command line it is direct routing.
  public static let forwardingMethod = ForwardingMethod.masquerading
  /// Persistence that is asked for without a time.
  public static let persistenceSeconds = 360
  /// Established TCP connections.
  public static let tcpTimeoutSeconds = 900
  /// TCP connections after a FIN.
  public static let tcpFinTimeoutSeconds = 120
  /// UDP flows.
  public static let udpTimeoutSeconds = 300
  /// Entries of the connection table.
  public static let connectionCapacity = 1 << 20
  /// FTP's control connections, where the helper is on and no port is named.
  public static let ftpPort: UInt16 = 21
  /// Source ports of FULLNAT connections.
  public static let localPorts: ClosedRange<UInt16> = 1024...65535

  /// Rules for firewall marks: every new connection walks over all of them.
  public static let markRuleCountMax = 1024
  /// Ports and ranges in one list of a rule, as many as iptables takes.
  static let markRulePortsMax = 15
  /// The engines that make persistence keys.
  public static let persistenceEngineNames = ["sip"]

  /// The IPVS schedulers by name.
  public static let schedulerNames = [
    "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "sh", "dh", "fo", "ovf", "sed", "nq", "mh", "twos",
  ]

  /// 31 days, the longest time IPVS keeps a connection or a template.
  static let timeoutSecondsMax = 31 * 24 * 60 * 60
  /// A week.
  static let drainSecondsMax = 7 * 24 * 60 * 60
  /// The longest `warmup_weight`, in seconds.
  static let warmupSecondsMax = 24 * 60 * 60
  /// `window` of `passive_check`, in seconds: what is kept of a server is a row for each.
  static let passiveWindowRange = 1...60
  /// `minimum` of `passive_check`: less is chance.
  static let passiveMinimumRange = 5...1_000_000
  static let connectionCapacityRange = 1024...(64 << 20)
  static let workerCountMax = 1024
  static let ftpPortCountMax = 8
  /// Services are numbered in 16 bits.
  static let serviceCountMax = 65535
  static let realServerCountMax = 1 << 20
  static let addressesInGroupsMax = 1 << 18
  /// Names that one thing refers to.
  static let listedNamesMax = 1000
  /// Interfaces of the dataplane in a file; more than that has no host.
  static let interfaceNamesMax = 256
  /// Checkers of a real server, urls of a checker.
  static let checkersMax = 64
  /// Lines of addresses, routes or rules in one block.
  static let addressesInInstanceMax = 65536
  /// Priority of VRRP where nothing is said.
  static let vrrpPriority = 100
  /// Of a name, a path, a text to be sent.
  static let textBytesMax = 4096
  static let commandWordsMax = 256
  /// Between checks.
  static let delayLoop = Duration.seconds(60)
  /// Of a check's connection.
  static let connectTimeout = Duration.seconds(5)
  /// PCRE2's options, as `regex_options` names them.
  static let regexOptions = [
    "allow_empty_class", "alt_bsux", "auto_callout", "caseless", "dollar_endonly", "dotall", "dupnames", "extended",
    "firstline", "match_unset_backref", "multiline", "never_ucp", "never_utf", "no_auto_capture", "no_auto_possess",
    "no_dotstar_anchor", "no_start_optimize", "ucp", "ungreedy", "utf", "never_backslash_c", "alt_circumflex",
    "alt_verbnames", "use_offset_limit", "extended_more", "literal",
  ]
  /// What an SMTP check calls itself.
  public static let heloName = "smtpchecker.keepalived.org"
}
