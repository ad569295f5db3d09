import Dataplane
import Glibc

/// What connections take.
enum TableMemory {
  /// Bytes of its own that this process has in memory: without those of its program and libraries.
  static func residentByteCount() throws -> Int {
    let pages = (SystemFile.read("/proc/self/statm") ?? "").split(separator: " ").compactMap { Int($0) }
    guard pages.count > 2 else { throw BenchError("read resident memory from /proc/self/statm: no such numbers") }
    return (pages[1] - pages[2]) * sysconf(Int32(_SC_PAGESIZE))
  }

  /// Bytes that are free or can be freed on this machine; nil when it does not say.
  static func availableByteCount() -> Int? {
    guard let text = SystemFile.read("/proc/meminfo") else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix("MemAvailable:") {
      return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 * 1024 }
    }
    return nil
  }

  /// A table filled to three quarters of its slots.
  struct Filled: Sendable {
    /// Bytes of the table for each connection in it.
    let bytesPerConnection: Double
    /// Connections that found no room on the way there, as a share of those that were tried.
    let refusedShare: Double
  }

  /// Fills a table for a million connections to three quarters of its slots.
  /// - Throws: when the process grew by something else than the table.
  static func fill(_ mode: Mode, _ family: Family) throws -> Filled {
    let scenario = Scenario(mode, family, connections: 1 << 20)
    let slots = scenario.connections * (mode.answers ? 4 : 2)
    let byteCount = slots * (family == .v4 ? 16 : 32)
    let wanted = slots * 3 / 4 / slotsPerConnection(scenario)
    let engine = try LbdEngine(scenario)
    let flows = FlowSet(scenario, count: 0)
    // The frames' own memory first: it is not the table's.
    for flow in 0..<Frames.count { try flows.offerRequest(flow, Segment.Flags.rst, to: engine) }
    for _ in 0...Round.turns { engine.turnNow() }
    let memory = try residentByteCount()
    var tried = 0
    var opened = 0
    while opened < wanted, tried < 2 * wanted {
      let batch = tried..<tried + min(Frames.batch, wanted - opened)
      for flow in batch { try flows.offerRequest(flow, Segment.Flags.syn, to: engine) }
      engine.turnNow()
      tried = batch.upperBound
      let (active, inactive) = engine.connections()
      opened = active + inactive
    }
    let grown = try residentByteCount() - memory
    guard opened == wanted, tried - opened == engine.outcomes()[Int(Outcome.tableFull.rawValue)],
      abs(grown - byteCount) < byteCount / 50 + (4 << 20)
    else {
      throw BenchError(
        "fill a table of \(byteCount) bytes with \(wanted) connections: \(opened) of \(tried) found room, and the "
          + "process grew by \(grown) bytes")
    }
    return Filled(
      bytesPerConnection: Double(byteCount) / Double(opened), refusedShare: Double(tried - opened) / Double(tried))
  }

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
  struct Held {
    /// Growth of the process from before the table was made.
    let byteCount: Int
    /// To list all of them.
    let listSeconds: Double
    /// To expire all of them.
    let expirySeconds: Double
  }

  /// Opens, lists, expires.
  static func hold(connections count: Int) throws -> Held {
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
      let left = engine.connections()
      throw BenchError("expire \(count) connections: \(engine.expired()) have expired, \(left) are left")
    }
    return Held(
      byteCount: byteCount, listSeconds: Double(middle - start) / 1e9, expirySeconds: Double(end - middle) / 1e9)
  }
}
