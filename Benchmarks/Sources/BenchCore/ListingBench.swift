import BenchReport
import Control
import Dataplane
import Glibc
import Kernel

/// What a listing of all connections costs the worker that goes on meanwhile, and how much memory it takes.
///
/// Established traffic through the pipeline on the last core; on the first one the socket that listings come from, and the
/// `ipvsadm -Lnc` that reads them. The reader is stopped and let go on in turns, so that stretches with and without a
/// listing alternate, a fraction of a second each: what else the machine does meets both alike.
public struct ListingBench {
  /// What was measured.
  public struct Result: Sendable {
    /// Nanoseconds of the worker's processor per packet, without a listing going on.
    public var quiet: Sample
    /// And with one.
    public var listing: Sample
    /// Of stretches that follow each other.
    public var ratio: Sample
    /// Connections that were listed, in all.
    public var lines: Int
    /// Seconds that a listing takes by itself.
    public var seconds: Double
    /// Resident bytes of this process before any listing.
    public var residentBefore: Int
    /// At most during one.
    public var residentDuring: Int
    /// Of the reader, at most.
    public var readerResident: Int
  }

  private let connections: Int
  private let pairs: Int
  private let reader: String

  /// - Parameters:
  ///   - reader: path of `ipvsadm`.
  ///   - pairs: of stretches.
  public init(reader: String, connections: Int, pairs: Int) {
    self.reader = reader
    self.connections = connections
    self.pairs = pairs
  }

  /// Measures.
  public func run() throws -> Result {
    let cores = BenchCores.available
    guard let first = cores.first, let last = cores.last, first != last else {
      throw BenchError("choose two cores: this process may use \(cores); the part needs two")
    }
    let scenario = Scenario(.dr, .v4, connections: connections)
    let engine = try LbdEngine(scenario)
    let path = "/tmp/lbd-bench-\(getpid()).sock"
    let flag = StopFlag()
    nonisolated(unsafe) let server = try ListingServer(path: path, dataplane: engine.dataplane)
    let thread = try PinnedThread.start(name: "bench-control", core: first) {
      while !flag.isUp { server.serve(waitingMilliseconds: 20) }
    }
    let result = Swift.Result {
      try Thread.pinCurrent(to: last)
      return try measure(engine, scenario, ListingReader(program: reader, path: path, core: first))
    }
    flag.isUp = true
    thread.join()
    return try result.get()
  }

  private func measure(_ engine: LbdEngine, _ scenario: Scenario, _ source: ListingReader) throws -> Result {
    var source = source
    let traffic = try EstablishedTraffic(engine, scenario: scenario, count: connections)
    var random = Randomness(seed: 1)
    for _ in 0..<200 { _ = try stretch(engine, traffic, &random, milliseconds: 1) }
    let before = ListingBench.memory("self", "VmRSS")
    let start = Stopwatch.nanoseconds()
    try source.start()
    try source.finish()
    let seconds = Double(Stopwatch.nanoseconds() - start) / 1e9
    var (quiet, listing, ratios) = ([Double](), [Double](), [Double]())
    var during = before
    for _ in 0..<pairs {
      try source.goOn()
      // Until it has begun to read again.
      usleep(10_000)
      let busy = try stretch(engine, traffic, &random, milliseconds: 150)
      during = max(during, ListingBench.memory("self", "VmRSS"))
      source.pause()
      usleep(10_000)
      let still = try stretch(engine, traffic, &random, milliseconds: 150)
      quiet.append(still)
      listing.append(busy)
      ratios.append(still / busy)
    }
    try source.finish()
    return Result(
      quiet: Sample(quiet), listing: Sample(listing), ratio: Sample(ratios), lines: source.lines, seconds: seconds,
      residentBefore: before, residentDuring: during, readerResident: source.resident)
  }

  /// Nanoseconds per packet, of the median round.
  private func stretch(
    _ engine: LbdEngine, _ traffic: EstablishedTraffic<LbdEngine>, _ random: inout Randomness, milliseconds: UInt64
  ) throws -> Double {
    let end = Stopwatch.nanoseconds() + milliseconds * 1_000_000
    var rounds: [Double] = []
    repeat {
      try traffic.fill(&random)
      let before = Stopwatch.threadNanoseconds()
      var packets = 0
      for _ in 0..<Round.turns { packets += engine.turnNow() }
      rounds.append(Double(Stopwatch.threadNanoseconds() - before) / Double(packets))
      engine.turnNow()
    } while Stopwatch.nanoseconds() < end
    return Sample(rounds).median
  }

  /// A number of bytes from `/proc/PID/status`.
  static func memory(_ process: String, _ name: String) -> Int {
    guard let text = SystemFile.read("/proc/\(process)/status") else { return 0 }
    for line in text.split(separator: "\n") where line.hasPrefix(name + ":") {
      return (line.split(whereSeparator: { " \t".contains($0) }).dropFirst().first.flatMap { Int($0) } ?? 0) << 10
    }
    return 0
  }
}

/// Told once, seen by another thread.
private final class StopFlag: @unchecked Sendable {
  private let word = UnsafeMutablePointer<Int32>.allocate(capacity: 1)

  init() { word.initialize(to: 0) }

  deinit { word.deallocate() }

  /// A thread that looks at it now and then needs no more order than this.
  var isUp: Bool {
    @inline(never) get { word.pointee != 0 }
    set { word.pointee = newValue ? 1 : 0 }
  }
}
