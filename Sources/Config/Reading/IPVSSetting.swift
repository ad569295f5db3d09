// The settings of IPVS, `net.ipv4.vs.*`, under their own names: which there are, and which values each takes.
//
// Only the language is here. What a setting does, and its default, is the dataplane's: `IPVSSettings`.

/// A setting of IPVS by its name under `net.ipv4.vs`.
public enum IPVSSetting: String, CaseIterable, Hashable, Sendable {
  case amDropRate = "am_droprate"
  case amemthresh
  case backupOnly = "backup_only"
  case cacheBypass = "cache_bypass"
  case connectionLoadFactor = "conn_lfactor"
  case connectionReuseMode = "conn_reuse_mode"
  case conntrack
  case debugLevel = "debug_level"
  case dropEntry = "drop_entry"
  case dropPacket = "drop_packet"
  case estimationProcessors = "est_cpulist"
  case estimationNiceness = "est_nice"
  case expireNoDestinationConnections = "expire_nodest_conn"
  case expireQuiescentTemplates = "expire_quiescent_template"
  case ignoreTunneled = "ignore_tunneled"
  case lblcExpiration = "lblc_expiration"
  case lblcrExpiration = "lblcr_expiration"
  case natICMPSend = "nat_icmp_send"
  case pathMTUDiscovery = "pmtu_disc"
  case runEstimation = "run_estimation"
  case scheduleICMP = "schedule_icmp"
  case secureTCP = "secure_tcp"
  case sloppySCTP = "sloppy_sctp"
  case sloppyTCP = "sloppy_tcp"
  case snatReroute = "snat_reroute"
  case serviceLoadFactor = "svc_lfactor"
  case syncPersistMode = "sync_persist_mode"
  case syncPorts = "sync_ports"
  case syncQueueLength = "sync_qlen_max"
  case syncRefreshPeriod = "sync_refresh_period"
  case syncRetries = "sync_retries"
  case syncSocketSize = "sync_sock_size"
  case syncThreshold = "sync_threshold"
  case syncVersion = "sync_version"

  /// What stands before every name.
  public static let prefix = "net.ipv4.vs."

  /// What a setting is set to.
  public enum Value: Hashable, Sendable, CustomStringConvertible {
    /// All but two.
    case number(Int)
    /// `sync_threshold`: of every `period` packets of a connection, the one with this number.
    case threshold(Int, period: Int)
    /// `est_cpulist`.
    case processors(String)

    /// As sysctl(8) writes it.
    public var description: String {
      switch self {
      case .number(let number): "\(number)"
      case .threshold(let count, let period): "\(count)\t\(period)"
      case .processors(let list): list
      }
    }
  }

  /// Why a setting cannot be taken.
  public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// What is wrong.
    public let message: String
    /// What to write instead.
    public let remedy: String

    /// `MESSAGE; REMEDY`.
    public var description: String { "\(message); \(remedy)" }
  }

  /// Reads a name with its prefix, dots or slashes between, and a value.
  public static func parse(name: String, value: String) -> Result<(setting: IPVSSetting, value: Value), Failure> {
    let dotted = String(name.map { $0 == "/" ? "." : $0 })
    guard dotted.hasPrefix(prefix) else {
      return .failure(
        Failure(message: "\(quoted(name)) is not a setting of IPVS", remedy: "their names begin with \(prefix)"))
    }
    let short = String(dotted.dropFirst(prefix.count))
    guard let setting = IPVSSetting(rawValue: short) else {
      let like = nearest(to: short, among: allCases.map(\.rawValue))
      return .failure(
        Failure(
          message: "there is no setting \(quoted(name))",
          remedy: like.map { "did you mean '\(prefix)\($0)'?" } ?? "docs/operations.md lists them"))
    }
    guard let value = setting.value(value) else {
      return .failure(
        Failure(message: "\(quoted(value)) is not a value of \(prefix)\(short)", remedy: "write \(setting.meaning)"))
    }
    return .success((setting, value))
  }

  /// The numbers it takes, for those that take a number.
  var range: ClosedRange<Int> {
    switch self {
    case .dropEntry, .dropPacket, .secureTCP, .connectionReuseMode, .syncRetries: 0...3
    case .backupOnly, .cacheBypass, .conntrack, .expireNoDestinationConnections, .expireQuiescentTemplates,
      .ignoreTunneled, .natICMPSend, .pathMTUDiscovery, .runEstimation, .scheduleICMP, .sloppySCTP, .sloppyTCP,
      .snatReroute, .syncPersistMode, .syncVersion:
      0...1
    case .estimationNiceness: -20...19
    case .connectionLoadFactor, .serviceLoadFactor: -8...8
    case .amDropRate: 1...Int(Int32.max)
    case .lblcExpiration, .lblcrExpiration: 1...IPVSSetting.secondsMax
    case .syncRefreshPeriod: 0...IPVSSetting.secondsMax
    case .syncPorts: 1...(1 << 30)
    case .amemthresh, .debugLevel, .estimationProcessors, .syncQueueLength, .syncSocketSize, .syncThreshold:
      0...Int(Int32.max)
    }
  }

  /// The kernel keeps times in thousandths of a second, in 31 bits.
  private static let secondsMax = Int(Int32.max) / 1000

  /// What to write, for messages.
  private var meaning: String {
    switch self {
    case .syncThreshold: "two numbers T P, T below P or P 0"
    case .syncPorts: "a power of two"
    case .estimationProcessors: "a list of processors such as 0-3,8"
    default: "a number from \(range.lowerBound) to \(range.upperBound)"
    }
  }

  private func value(_ text: String) -> Value? {
    switch self {
    case .estimationProcessors:
      return IPVSSetting.isProcessorList(text) ? .processors(text) : nil
    case .syncThreshold:
      let numbers = text.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "," }).map { decimal(String($0)) }
      guard numbers.count == 2, let count = numbers[0], let period = numbers[1], range.contains(count),
        range.contains(period), count < period || period == 0
      else { return nil }
      return .threshold(count, period: period)
    default:
      let isNegative = text.hasPrefix("-")
      guard let size = decimal(isNegative ? String(text.dropFirst()) : text) else { return nil }
      let number = isNegative ? -size : size
      guard range.contains(number), self != .syncPorts || number.nonzeroBitCount == 1 else { return nil }
      return .number(number)
    }
  }

  /// `0-3,8`, or nothing at all.
  private static func isProcessorList(_ text: String) -> Bool {
    guard !text.isEmpty else { return true }
    guard text.utf8.count <= 1024 else { return false }
    return text.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { part in
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { decimal(String($0)) ?? -1 }
      return ends.count == 1 && ends[0] >= 0 || ends.count == 2 && ends[0] >= 0 && ends[0] <= ends[1]
    }
  }
}
