import Lab

/// How long a core was busy: with programs, the kernel or interrupts, whoever was charged.
struct CoreTime {
  let busySeconds: Double

  static let ticksPerSecond = 100.0

  /// The core's time so far, of /proc/stat.
  init?(core: Int) {
    guard let text = TextFile.read("/proc/stat") else { return nil }
    self.init(core: core, statistics: text)
  }

  /// user nice system idle iowait irq softirq steal; the rest is contained in these.
  init?(core: Int, statistics: String) {
    guard
      let line = statistics.split(separator: "\n").first(where: { $0.hasPrefix("cpu\(core) ") })
    else { return nil }
    let ticks = line.split(separator: " ").dropFirst().prefix(8).compactMap { Double($0) }
    guard ticks.count >= 7 else { return nil }
    busySeconds = (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / CoreTime.ticksPerSecond
  }
}
