import Lab

/// How much processor time the programs on the director have used, all threads together: unlike the core's time free of
/// what else runs on the machine. Interrupts are charged to the program they interrupt, and so are here; the work of
/// a director that is no program is charged to others.
struct ProcessTime {
  let seconds: Double

  /// The time of all programs in a namespace so far; nil when there is none.
  init?(namespace: String) throws {
    let pids = try Command.check(["ip", "netns", "pids", namespace]).split(separator: "\n")
    let times = pids.compactMap { TextFile.read("/proc/\($0)/stat").flatMap(ProcessTime.seconds) }
    guard !times.isEmpty else { return nil }
    seconds = times.reduce(0, +)
  }

  /// Fields 14 and 15, user's and system's; the second one, a name in parentheses, may hold anything.
  static func seconds(_ statistics: String) -> Double? {
    guard let name = statistics.lastIndex(of: ")") else { return nil }
    let fields = statistics[statistics.index(after: name)...].split(separator: " ")
    guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
    return (user + system) / CoreTime.ticksPerSecond
  }
}
