import CReference
import Kernel

/// The reference's connection table, which its workers share.
final class ReferenceTable {
  let pointer: OpaquePointer

  /// An empty one.
  init(_ scenario: Scenario) throws {
    guard let table = scenario.withReference({ creference_table_create($0) }) else {
      throw BenchError("make the reference's table of \(scenario.connections) connections: no memory")
    }
    pointer = table
  }

  deinit { creference_table_destroy(pointer) }

  /// Entries; two for a connection whose replies pass here.
  var entryCount: Int { creference_table_entries(pointer) }

  /// Bytes of its lines.
  var byteCount: Int { creference_table_bytes(pointer) }
}

/// The reference in C over frames in memory of its own.
final class ReferenceEngine: Engine {
  /// Shared with other workers.
  let table: ReferenceTable
  private let memory: MappedMemory
  private let reference: OpaquePointer

  /// One worker on a table of its own.
  convenience init(_ scenario: Scenario) throws {
    let table = try ReferenceTable(scenario)
    try self.init(scenario, table: table)
  }

  /// A worker among several on one table.
  init(_ scenario: Scenario, table: ReferenceTable, worker: Int = 0, workerCount: Int = 1) throws {
    let memory = try MappedMemory(byteCount: Frames.count * Frames.stride, hugePages: .preferred)
    let made = scenario.withReference(worker: worker, workerCount: workerCount) {
      creference_create($0, table.pointer, memory.base, Frames.count, Frames.stride)
    }
    guard let made else { throw BenchError("make a worker of the reference: no memory, or it refuses the scenario") }
    self.memory = memory
    self.table = table
    reference = made
  }

  deinit { creference_destroy(reference) }

  func offer(_ bytes: UnsafeRawBufferPointer, interface: Int) -> Bool {
    let address = creference_take(reference)
    guard address != .max, let base = bytes.baseAddress else { return false }
    (memory.base + Int(address)).copyMemory(from: base, byteCount: bytes.count)
    return creference_offer(reference, address, UInt32(bytes.count), UInt32(interface))
  }

  @discardableResult func turnNow() -> Int { creference_turn_now(reference) }

  @discardableResult func turn(atNanoseconds now: UInt64) -> Int { creference_turn(reference, now) }

  func sweep(atNanoseconds now: UInt64) {
    creference_turn(reference, now)
    creference_sweep(reference)
  }

  func outcomes() -> [UInt64] {
    ReferenceOutcome.counts { creference_counter(reference, $0) }
  }

  func connections() -> (active: Int, inactive: Int) {
    (0..<Scenario.serverCount).reduce((0, 0)) {
      (
        $0.0 + Int(creference_table_active(table.pointer, $1)), $0.1 + Int(creference_table_inactive(table.pointer, $1))
      )
    }
  }

  func expired() -> UInt64 { creference_expired(reference) }

  func forEachSent(_ body: (Int, Int, UnsafeRawBufferPointer) -> Void) {
    for index in 0..<Frames.batch {
      let interface = creference_egress_of(reference, index)
      if interface >= 0 { body(index, Int(interface), bytes(of: index)) }
    }
  }

  /// The outcome of a frame of the last batch.
  func outcome(of index: Int) -> creference_outcome { creference_outcome_of(reference, index) }

  /// The bytes of a frame of the last batch as they were left.
  func bytes(of index: Int) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(
      start: memory.base + Int(creference_address_of(reference, index)),
      count: Int(creference_byte_count_of(reference, index)))
  }

  /// What a server has been sent.
  func counters(ofServer number: Int) -> creference_server_counters {
    creference_server_counter(reference, number)
  }
}
