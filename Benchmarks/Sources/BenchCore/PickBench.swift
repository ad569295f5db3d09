import Scheduler

/// What a pick costs among many servers, for every scheduler: nothing but the scheduler, on one core.
public struct PickBench {
  /// A scheduler and the median time of a pick.
  public struct Row {
    /// Its name, and how many destinations there were where that matters.
    public let name: String
    /// Nanoseconds.
    public let nanoseconds: Double
  }

  private let serverCount: Int
  private let rounds: Int
  private let identifiers: UnsafeMutablePointer<UInt16>
  private let weights: UnsafeMutablePointer<Int32>
  private let connections: UnsafeMutablePointer<UInt64>
  private let overloaded: UnsafeMutablePointer<UInt8>
  private let identities: UnsafeMutablePointer<UInt64>

  /// - Parameter rounds: of 1000 picks each.
  public static func rows(serverCount: Int, rounds: Int) -> [Row] {
    let bench = PickBench(serverCount: serverCount, rounds: rounds)
    defer { bench.deallocate() }
    return Scheduler.allCases.flatMap { scheduler in
      (scheduler.hasCache ? [1, 4096] : [4096]).map { destinations in
        Row(
          name: scheduler.name + (scheduler.hasCache ? " (\(destinations) destinations)" : ""),
          nanoseconds: bench.measure(scheduler, destinations: UInt32(destinations)))
      }
    }
  }

  private init(serverCount: Int, rounds: Int) {
    self.serverCount = serverCount
    self.rounds = rounds
    identifiers = .allocate(capacity: serverCount)
    weights = .allocate(capacity: serverCount)
    connections = .allocate(capacity: serverCount)
    overloaded = .allocate(capacity: serverCount)
    identities = .allocate(capacity: serverCount)
    for position in 0..<serverCount {
      identifiers[position] = UInt16(serverCount - 1 - position)
      weights[position] = Int32(position % 10 + 1)
      overloaded[position] = 0
      identities[position] = ServerIdentity.of(high: 0, low: UInt64(position), port: 80, isIPv6: false)
    }
  }

  private func deallocate() {
    identifiers.deallocate()
    weights.deallocate()
    connections.deallocate()
    overloaded.deallocate()
    identities.deallocate()
  }

  private func measure(_ scheduler: Scheduler, destinations: UInt32) -> Double {
    for index in 0..<serverCount { connections[index] = UInt64(index % 7) << 32 | UInt64(index % 5) }
    let table = scheduler.makeTable {
      (0..<serverCount).map {
        HashedServer(
          weight: weights[$0], lastWeight: weights[$0], addressFold: UInt32($0), port: 80, identity: identities[$0])
      }
    }
    let pace = Scheduler.pace(of: (0..<serverCount).map { weights[$0] })
    let byteCount = DestinationCache.byteCount(holdsSets: scheduler.cacheHoldsSets)
    let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
    defer { memory.deallocate() }
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    let cache = DestinationCache.initialize(memory, holdsSets: scheduler.cacheHoldsSets, seed: 1)
    return (table ?? [0]).withUnsafeBufferPointer { buckets in
      median(
        of: scheduler,
        RealServerSet(
          count: serverCount, identifiers: identifiers, weights: weights, connections: connections,
          overloaded: overloaded, table: table == nil ? nil : buckets.baseAddress, tableCount: table?.count ?? 0,
          step: pace.step, maximum: pace.maximum, identities: identities, cache: scheduler.hasCache ? cache : nil),
        destinations: destinations)
    }
  }

  /// The median over rounds of 1000 picks. Connections are opened by each pick, and the oldest closed after 4096.
  private func median(of scheduler: Scheduler, _ servers: RealServerSet, destinations: UInt32) -> Double {
    var state = SchedulerState(word: 1)
    var number: UInt32 = 0
    var open = [Int](repeating: -1, count: 4096)
    var times: [UInt64] = []
    for _ in 0..<rounds {
      let start = Stopwatch.nanoseconds()
      for _ in 0..<1000 {
        number &+= 1
        let destination = number &* 0x9e37_79b1 % destinations
        let flow = ScheduledFlow(
          clientFold: number &* 0x85eb_ca6b, destinationFold: destination, clientPort: 1,
          destinationLow: UInt64(destination))
        let position = scheduler.pick(from: servers, state: &state, flow: flow, flags: [])
        let place = Int(number & 4095)
        if open[place] >= 0 { connections[open[place]] -= 1 << 32 }
        open[place] = position < 0 ? -1 : Int(identifiers[position])
        if position >= 0 { connections[open[place]] += 1 << 32 }
      }
      times.append(Stopwatch.nanoseconds() - start)
    }
    return Double(times.sorted()[times.count / 2]) / 1000
  }
}
