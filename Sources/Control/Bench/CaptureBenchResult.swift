import Dataplane
import Foundation

/// What came out of `CaptureBench`.
public struct CaptureBenchResult: Sendable {
  /// Nanoseconds that a batch took, from its first frame taken to its last one accounted for.
  public struct BatchTimes: Sendable {
    /// Batches.
    public let count: UInt64
    /// False when the capture has not got one full batch, and these are of what it has.
    public let areFull: Bool
    /// Exact.
    public let minimum: UInt64
    /// Half of the batches took no longer; this and the following to 1.6 %.
    public let p50: UInt64
    /// One in a hundred took longer.
    public let p99: UInt64
    /// One in a thousand took longer.
    public let p999: UInt64
    /// Exact.
    public let maximum: UInt64
    /// Of the time of these batches, the share of those that took over ten times the median: the core was taken away.
    public let disturbedShare: Double

    init(_ histogram: borrowing LatencyHistogram, areFull: Bool) {
      count = histogram.count
      self.areFull = areFull
      minimum = histogram.minimum
      p50 = histogram.quantile(0.5)
      p99 = histogram.quantile(0.99)
      p999 = histogram.quantile(0.999)
      maximum = histogram.maximum
      disturbedShare = histogram.timeShare(above: 10 * p50)
    }
  }

  /// The capture's path.
  public let capture: String
  /// Frames in it.
  public let frames: Int
  /// Bytes of its frames.
  public let byteCount: Int
  /// Times that it was played and timed.
  public let passes: Int
  /// Where the worker ran.
  public let core: Int
  /// Packets in a full batch.
  public let batch: Int
  /// From the first pass to the end of the last, with everything between.
  public let elapsedNanoseconds: UInt64
  /// Of the turns alone.
  public let turnNanoseconds: UInt64
  /// Packets that went through.
  public let packets: UInt64
  /// Turns.
  public let batches: UInt64
  /// How long they took.
  public let times: BatchTimes
  /// What became of the packets.
  public let statistics: Statistics

  init(
    capture: String, frames: Int, byteCount: Int, passes: Int, core: Int, batch: Int, elapsedNanoseconds: UInt64,
    tally: borrowing CaptureBenchTally, statistics: Statistics
  ) {
    self.capture = capture
    self.frames = frames
    self.byteCount = byteCount
    self.passes = passes
    self.core = core
    self.batch = batch
    self.elapsedNanoseconds = elapsedNanoseconds
    turnNanoseconds = max(tally.nanoseconds, 1)
    packets = tally.packets
    batches = tally.batches
    times = tally.times
    self.statistics = statistics
  }

  /// Of the turns.
  public var nanosecondsPerPacket: Double { Double(turnNanoseconds) / Double(max(packets, 1)) }
  /// Of the turns.
  public var packetsPerSecond: Double { 1e9 / nanosecondsPerPacket }
  /// Of the median batch: what is left of the former where other programs take the core away.
  public var medianNanosecondsPerPacket: Double { times.areFull ? Double(times.p50) / Double(batch) : .nan }
  /// Of the turns: bits of the capture's frames, without preamble and check sequence.
  public var gigabitsPerSecond: Double { packetsPerSecond * Double(byteCount) / Double(max(frames, 1)) * 8 / 1e9 }
  /// Every packet has an outcome, and every packet that was sent came in.
  public var isBalanced: Bool { statistics.isBalanced && statistics.received == packets }

  /// For people.
  public var text: String {
    let outcomes = Outcome.allCases.compactMap { outcome -> String? in
      guard let count = statistics.outcomes[outcome], count > 0 else { return nil }
      return "\(outcome.name) \(count)\n"
    }
    let kind = times.areFull ? "\(times.count) batches of \(batch)" : "\(times.count) batches, none of them full,"
    return """
      \(capture): \(frames) frames, \(byteCount) bytes
      \(passes) passes in \(decimal(Double(elapsedNanoseconds) / 1e9, 2)) s, of which \
      \(decimal(Double(turnNanoseconds) / 1e9, 2)) s were turns of one worker on core \(core)

      \(decimal(packetsPerSecond / 1e6, 3)) million packets/s, \(decimal(nanosecondsPerPacket, 1)) ns/packet, \
      \(decimal(gigabitsPerSecond, 2)) Gbit/s
      (of the turns alone: copying the capture into the worker's frames is not in it)
      \(kind) took, in ns: min \(times.minimum), p50 \(times.p50), p99 \(times.p99), \
      p99.9 \(times.p999), max \(times.maximum)
      \(medianText)

      # outcomes
      \(outcomes.joined())originated \(statistics.originated)
      # balance
      \(balance)

      """
  }

  private var medianText: String {
    let share = decimal(times.disturbedShare * 100, 1)
    let disturbed = "\(share) % of the time went into batches over ten times the median (the core was taken away)"
    guard times.areFull else { return disturbed }
    return "the median batch: \(decimal(medianNanosecondsPerPacket, 1)) ns/packet; \(disturbed)"
  }

  /// `received 7 = forwarded 5 + passed 1 + dropped 1`, or with `!=`.
  public var balance: String {
    "received \(packets) \(isBalanced ? "=" : "!=") forwarded \(statistics.sum(.forwarded))"
      + " + passed \(statistics.sum(.passed)) + dropped \(statistics.sum(.dropped))"
  }

  /// One object.
  public var json: String {
    let outcomes = Outcome.allCases.filter { statistics.outcomes[$0, default: 0] > 0 }
      .map { "\"\($0)\": \(statistics.outcomes[$0, default: 0])" }
    let fields = [
      "\"capture\": \(quoted(capture))", "\"frames\": \(frames)", "\"bytes\": \(byteCount)", "\"passes\": \(passes)",
      "\"core\": \(core)", "\"packets\": \(packets)",
      "\"elapsedSeconds\": \(decimal(Double(elapsedNanoseconds) / 1e9, 3))",
      "\"turnSeconds\": \(decimal(Double(turnNanoseconds) / 1e9, 3))",
      "\"packetsPerSecond\": \(decimal(packetsPerSecond, 0))", "\"nsPerPacket\": \(decimal(nanosecondsPerPacket, 2))",
      "\"gbitPerSecond\": \(decimal(gigabitsPerSecond, 3))", "\"batch\": \(batch)", "\"batches\": \(batches)",
      "\"timedBatchesAreFull\": \(times.areFull)", "\"batchNsMin\": \(times.minimum)", "\"batchNsP50\": \(times.p50)",
      "\"nsPerPacketMedian\": \(times.areFull ? decimal(medianNanosecondsPerPacket, 2) : "null")",
      "\"disturbedShare\": \(decimal(times.disturbedShare, 4))",
      "\"batchNsP99\": \(times.p99)", "\"batchNsP999\": \(times.p999)", "\"batchNsMax\": \(times.maximum)",
      "\"forwarded\": \(statistics.sum(.forwarded))", "\"passed\": \(statistics.sum(.passed))",
      "\"dropped\": \(statistics.sum(.dropped))", "\"originated\": \(statistics.originated)",
      "\"isBalanced\": \(isBalanced)", "\"outcomes\": {\(outcomes.joined(separator: ", "))}",
    ]
    return "{" + fields.joined(separator: ", ") + "}\n"
  }

  private func decimal(_ number: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", number) }

  private func quoted(_ text: String) -> String {
    "\""
      + text.unicodeScalars.map { scalar in
        switch scalar {
        case "\"": "\\\""
        case "\\": "\\\\"
        case _ where scalar.value < 32: String(format: "\\u%04x", scalar.value)
        default: String(scalar)
        }
      }.joined() + "\""
  }
}
