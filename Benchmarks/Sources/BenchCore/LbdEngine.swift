import Dataplane

/// The pipeline of `lbd run` over frames in memory.
final class LbdEngine: Engine {
  /// Control's side of it.
  let dataplane: Dataplane
  private let pipeline: MemoryPipeline

  /// One worker on a table of its own.
  convenience init(_ scenario: Scenario) throws {
    let dataplane = try LbdEngine.makeDataplane(scenario)
    try self.init(dataplane)
  }

  /// A worker among several on one table.
  init(_ dataplane: Dataplane, worker: Int = 0, workerCount: Int = 1) throws {
    self.dataplane = dataplane
    pipeline = try MemoryPipeline(
      dataplane, interfaces: Scenario.interfaces, frameCount: Frames.count, chunkByteCount: Frames.stride,
      worker: worker, workerCount: workerCount)
  }

  /// A table with the scenario's service.
  static func makeDataplane(_ scenario: Scenario) throws -> Dataplane {
    let dataplane = try Dataplane(
      connections: scenario.connections, bothDirections: scenario.mode.answers, seed: scenario.seed)
    dataplane.publish(try scenario.description())
    return dataplane
  }

  func offer(_ bytes: UnsafeRawBufferPointer, interface: Int) -> Bool {
    pipeline.offer(bytes, interface: interface)
  }

  @discardableResult func turnNow() -> Int { pipeline.turnNow() }

  @discardableResult func turn(atNanoseconds now: UInt64) -> Int {
    pipeline.setClock(nanoseconds: now)
    return pipeline.turn()
  }

  func sweep(atNanoseconds now: UInt64) {
    pipeline.setClock(nanoseconds: now)
    pipeline.sweep()
  }

  func outcomes() -> [UInt64] {
    let statistics = dataplane.statistics()
    return Outcome.allCases.map { statistics.outcomes[$0, default: 0] }
  }

  func connections() -> (active: Int, inactive: Int) {
    (1...Scenario.serverCount).reduce((0, 0)) { sum, number in
      let (active, inactive) = dataplane.connections(ofServer: UInt16(number))
      return (sum.0 + Int(active), sum.1 + Int(inactive))
    }
  }

  func expired() -> UInt64 { dataplane.statistics().expired }

  func forEachSent(_ body: (Int, Int, UnsafeRawBufferPointer) -> Void) {
    pipeline.forEachTransmitted { body($0.input, $0.interface, $0.bytes) }
  }

  /// The outcome of a frame of the last batch.
  func outcome(of index: Int) -> Outcome { pipeline.outcome(of: index) }

  /// The bytes of a frame of the last batch as they were left.
  func bytes(of index: Int) -> UnsafeRawBufferPointer { pipeline.bytes(of: index) }
}
