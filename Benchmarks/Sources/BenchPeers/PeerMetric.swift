import BenchReport

/// A figure of one turn. The raw values are the fields' names.
enum PeerMetric: String, CaseIterable, Sendable {
  case requests = "requestsPerSecond"
  case connections = "connectionsPerSecond"
  case gbit = "gbitPerSecond"
  case p50 = "p50Microseconds"
  case p99 = "p99Microseconds"
  case p50Loaded = "p50LoadedMicroseconds"
  case cpu = "cpuMicrosecondsPerRequest"
  case process = "processMicrosecondsPerRequest"

  /// Those that are better when larger.
  static let rates: [PeerMetric] = [.requests, .connections, .gbit]

  /// Against no balancer at all.
  var relativeToDirect: String { short + "RelativeToDirect" }
  /// Against the best peer.
  var relativeToPeers: String { short + "RelativeToPeers" }

  private var short: String {
    switch self {
    case .requests: "requests"
    case .connections: "connections"
    case .gbit: "gbit"
    default: rawValue
    }
  }
}

/// What all turns gave: by target and figure, by round.
struct PeerFigures {
  private var values: [PeerTarget: [PeerMetric: [Int: Double]]] = [:]

  mutating func add(_ figures: [PeerMetric: Double], of target: PeerTarget, round: Int) {
    for (metric, value) in figures { values[target, default: [:]][metric, default: [:]][round] = value }
  }

  /// The median over the rounds; nil when no round gave one.
  func median(_ metric: PeerMetric, of target: PeerTarget) -> Double? {
    guard let values = values[target]?[metric], !values.isEmpty else { return nil }
    return Sample(Array(values.values)).median
  }

  /// The median of the rounds' ratios.
  func ratio(_ metric: PeerMetric, of target: PeerTarget, to other: PeerTarget) -> Double? {
    compare(metric, target, other) { $0 / $1 }
  }

  /// The median of the rounds' differences.
  func difference(_ metric: PeerMetric, of target: PeerTarget, to other: PeerTarget) -> Double? {
    compare(metric, target, other) { $0 - $1 }
  }

  private func compare(
    _ metric: PeerMetric, _ target: PeerTarget, _ other: PeerTarget, _ body: (Double, Double) -> Double
  ) -> Double? {
    guard let ours = values[target]?[metric], let theirs = values[other]?[metric] else { return nil }
    let pairs = ours.compactMap { round, value in theirs[round].map { body(value, $0) } }
    return pairs.isEmpty ? nil : Sample(pairs).median
  }
}
