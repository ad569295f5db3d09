import BenchReport
import Kernel

/// What a worker does in one part of a measurement: fill its frames, take them through.
protocol WorkerLoad: AnyObject {
  /// Fills all frames.
  func fill() throws
  /// Takes them through in 64 turns. Returns packets.
  func turns() -> Int
}

/// Two workers on one table, a thread and a core each: the first alone, both at once, in turns.
final class ScaleRig {
  private let loads: [any WorkerLoad]
  private let cores: [Int]

  /// - Parameters:
  ///   - loads: of the two workers.
  ///   - cores: where they run.
  init(_ loads: [any WorkerLoad], cores: [Int]) {
    self.loads = loads
    self.cores = cores
  }

  /// Rates in packets per nanosecond, by block.
  struct Result: Sendable {
    /// Of the first worker alone.
    var one: [Double] = []
    /// Of both together.
    var two: [Double] = []

    /// The median of the paired quotients.
    var speedup: Double { Sample.pairedRatioMedian(two, one) }
  }

  /// Measures blocks of rounds of one worker and of both, one right after the other.
  func run(blocks: Int, rounds: Int, beforeRound: () -> Void = {}) throws -> Result {
    var result = Result()
    for block in 0..<blocks {
      // Which worker is the one changes: the cores need not be alike.
      let alone = [block % 2]
      for workers in block / 2 % 2 == 0 ? [alone, [0, 1]] : [[0, 1], alone] {
        var rates: [Double] = []
        var left = rounds + ScaleRig.disturbanceLimit
        while rates.count <= rounds, left > 0 {
          beforeRound()
          left -= 1
          if let rate = try self.round(workers) { rates.append(rate) }
        }
        guard rates.count > 1 else {
          throw BenchError("have cores \(cores) for \(rounds) rounds of 0.1 ms: others take them; stop those")
        }
        rates.removeFirst()
        let rate = Sample(rates).median
        if workers.count == 1 { result.one.append(rate) } else { result.two.append(rate) }
      }
    }
    return result
  }

  /// Runs rounds of both that nobody looks at.
  func warm(rounds: Int, beforeRound: () -> Void = {}) throws {
    for _ in 0..<rounds {
      beforeRound()
      _ = try round([0, 1])
    }
  }

  /// What a thread hands back: written before it is joined, read after.
  private final class Slot: @unchecked Sendable {
    var packets = 0
    var start: UInt64 = 0
    var end: UInt64 = 0
    var processorTime: UInt64 = 0
    var error: (any Error)?
  }

  /// Rounds of a block that may be lost to disturbances.
  private static let disturbanceLimit = 500

  /// - Returns: packets per nanosecond from the moment all began to the moment the last one ended; nil when somebody
  ///   else had one of the cores meanwhile: that says nothing of two workers.
  private func round(_ workers: [Int]) throws -> Double? {
    let gate = Gate(threads: workers.count)
    let slots = workers.map { _ in Slot() }
    var threads: [Joiner] = []
    for (slot, worker) in zip(slots, workers) {
      nonisolated(unsafe) let load = loads[worker]
      let thread = try PinnedThread.start(name: "bench-\(worker)", core: cores[worker]) {
        do { try load.fill() } catch { slot.error = error }
        gate.pass()
        let before = Stopwatch.threadNanoseconds()
        slot.start = Stopwatch.nanoseconds()
        slot.packets = load.turns()
        slot.end = Stopwatch.nanoseconds()
        slot.processorTime = Stopwatch.threadNanoseconds() - before
      }
      threads.append(Joiner(thread))
    }
    for thread in threads { thread.join() }
    if let error = slots.compactMap(\.error).first { throw error }
    guard slots.allSatisfy({ $0.packets == Frames.count }) else {
      throw BenchError("take a round through each worker: \(slots.map(\.packets)) packets of \(Frames.count)")
    }
    let start = slots.map(\.start).min() ?? 0
    let end = slots.map(\.end).max() ?? 0
    let elapsed = end - start
    let latest = slots.map(\.start).max() ?? 0
    let isDisturbed =
      latest - start > elapsed / 20
      || slots.contains { $0.end - $0.start > $0.processorTime + elapsed / 20 }
    return isDisturbed ? nil : Double(slots.count * Frames.count) / Double(elapsed)
  }

  /// Holds a thread, which cannot be in an array itself.
  private final class Joiner {
    private var thread: PinnedThread?
    init(_ thread: consuming PinnedThread) { self.thread = consume thread }
    func join() { thread.take()?.join() }
  }
}
