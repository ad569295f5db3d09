import Dataplane
import Glibc

/// What connections take.
public enum TableMemory {
  /// Bytes this process has in memory.
  public static func residentByteCount() throws -> Int {
    let step = "read resident memory from /proc/self/statm"
    guard let text = SystemFile.read("/proc/self/statm"), let pages = text.split(separator: " ").dropFirst().first,
      let count = Int(pages)
    else { throw BenchError("\(step): not a number") }
    return count * sysconf(Int32(_SC_PAGESIZE))
  }

  /// Bytes that are free or can be freed on this machine; nil when it does not say.
  public static func availableByteCount() -> Int? {
    guard let text = SystemFile.read("/proc/meminfo") else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix("MemAvailable:") {
      return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }
    return nil
  }

  /// A table filled to three quarters of its slots.
  public struct Filled: Sendable {
    /// By how much the process grew for each connection that was opened.
    public let bytesPerConnection: Double
    /// Connections that found no room, as a share of those that were tried.
    public let refusedShare: Double
  }

  /// Fills a table for a million connections to three quarters of its slots.
  public static func fill(_ mode: Mode, _ family: Family) throws -> Filled {
    let scenario = Scenario(mode, family, connections: 1 << 20)
    let count = slots(scenario) * 3 / 4 / slotsPerConnection(scenario)
    let engine = try LbdEngine(scenario)
    let flows = FlowSet(scenario, count: 0)
    // The frames' own memory first: it is not the table's.
    for flow in 0..<Frames.count { try flows.offerRequest(flow, Segment.Flags.rst, to: engine) }
    for _ in 0...Round.turns { engine.turnNow() }
    let memory = try residentByteCount()
    for first in stride(from: 0, to: count, by: Frames.batch) {
      let batch = first..<min(first + Frames.batch, count)
      for flow in batch { try flows.offerRequest(flow, Segment.Flags.syn, to: engine) }
      engine.turnNow()
    }
    let (active, inactive) = engine.connections()
    let refused = Int(engine.outcomes()[Int(Outcome.tableFull.rawValue)])
    guard active + inactive + refused == count else {
      throw BenchError("fill a table with \(count) connections: \(active + inactive) are there, \(refused) refused")
    }
    return Filled(
      bytesPerConnection: Double(try residentByteCount() - memory) / Double(count - refused),
      refusedShare: Double(refused) / Double(count))
  }

  private static func slots(_ scenario: Scenario) -> Int { scenario.connections * (scenario.mode.answers ? 4 : 2) }

  /// FULLNAT's replies have the client's key beside them.
  private static func slotsPerConnection(_ scenario: Scenario) -> Int {
    switch scenario.mode {
    case .dr, .tun: 1
    case .nat: 2
    case .fullnat: 3
    }
  }

  /// Ten million connections (or fewer) of DR by IPv4: what the process takes with them, how long listing and expiring
  /// takes.
  public struct Held {
    /// Growth of the process from before the table was made.
    public let byteCount: Int
    /// To list all of them.
    public let listSeconds: Double
    /// To expire all of them.
    public let expirySeconds: Double
  }

  /// Opens, lists, expires.
  public static func hold(connections count: Int) throws -> Held {
    let scenario = Scenario(.dr, .v4, connections: count)
    let before = try residentByteCount()
    let engine = try LbdEngine(scenario)
    let flows = FlowSet(scenario, count: count)
    try flows.open(engine)
    let byteCount = try residentByteCount() - before
    let start = Stopwatch.nanoseconds()
    var listed = 0
    engine.dataplane.forEachConnection(atNanoseconds: start) { if $0.stateName == "ESTABLISHED" { listed += 1 } }
    let middle = Stopwatch.nanoseconds()
    guard listed == count else { throw BenchError("list \(count) connections: \(listed) were listed as ESTABLISHED") }
    engine.sweep(atNanoseconds: middle + 1000 * 1_000_000_000)
    let end = Stopwatch.nanoseconds()
    guard engine.expired() == UInt64(count), engine.connections() == (0, 0) else {
      throw BenchError("expire \(count) connections: \(engine.expired()) have expired, \(engine.connections()) are left")
    }
    return Held(
      byteCount: byteCount, listSeconds: Double(middle - start) / 1e9, expirySeconds: Double(end - middle) / 1e9)
  }
}
