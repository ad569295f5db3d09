/// What wrk measured.
struct WrkSummary: Equatable {
  /// Answers per second; connections per second when each request has one of its own.
  let requestsPerSecond: Double
  /// Answers altogether.
  let requestCount: Int
  /// Half of the requests were answered in this time.
  let p50Microseconds: Double
  /// All but one in a hundred were.
  let p99Microseconds: Double
  /// Its line about errors, if there were any.
  let errors: String?

  /// Parses the words of `wrk --latency`; nil when they are not a summary.
  init?(_ text: String) {
    let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    func value(_ first: String) -> String? { lines.first { $0.first == first && $0.count >= 2 }?[1] }
    guard let rate = value("Requests/sec:").flatMap(Double.init),
      let half = value("50%").flatMap(WrkSummary.microseconds),
      let most = value("99%").flatMap(WrkSummary.microseconds),
      let count = lines.first(where: { $0.count > 2 && $0[1] == "requests" && $0[2] == "in" }).flatMap({ Int($0[0]) })
    else { return nil }
    requestsPerSecond = rate
    requestCount = count
    p50Microseconds = half
    p99Microseconds = most
    errors = lines.first { $0.first == "Socket" || $0.first?.hasPrefix("Non-2xx") == true }?.joined(separator: " ")
  }

  /// A time with its unit: 723.00us, 1.16ms, 2.00s.
  static func microseconds(_ text: String) -> Double? {
    for (unit, factor) in [("us", 1.0), ("ms", 1e3), ("s", 1e6), ("m", 6e7)] where text.hasSuffix(unit) {
      return Double(text.dropLast(unit.count)).map { $0 * factor }
    }
    return nil
  }
}

/// What iperf3 measured.
enum TransferSummary {
  /// The receiver's rate in Gbit/s, of a report in Mbit/s; nil when there is none.
  static func gbitPerSecond(_ text: String) -> Double? {
    let lines = text.split(separator: "\n").map { $0.split(separator: " ") }
    guard let line = lines.last(where: { $0.last == "receiver" }),
      let unit = line.firstIndex(of: "Mbits/sec"), unit > 0
    else { return nil }
    return Double(line[unit - 1]).map { $0 / 1e3 }
  }
}
