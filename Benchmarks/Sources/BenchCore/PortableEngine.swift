import CReferencePortable
import Kernel

/// The reference as it is compiled for any x86-64: what valgrind can run.
final class PortableEngine: Engine {
  private let memory: MappedMemory
  private let table: OpaquePointer
  private let reference: OpaquePointer

  /// One worker on a table of its own.
  init(_ scenario: Scenario) throws {
    let memory = try MappedMemory(byteCount: Frames.count * Frames.stride, hugePages: .preferred)
    let made = scenario.withReference { config -> (OpaquePointer, OpaquePointer)? in
      guard let table = creference_portable_table_create(config) else { return nil }
      let worker = creference_portable_create(config, table, memory.base, Frames.count, Frames.stride)
      if worker == nil { creference_portable_table_destroy(table) }
      return worker.map { (table, $0) }
    }
    guard let (table, worker) = made else { throw BenchError("make the portable reference: no memory") }
    self.memory = memory
    self.table = table
    reference = worker
  }

  deinit {
    creference_portable_destroy(reference)
    creference_portable_table_destroy(table)
  }

  func offer(_ bytes: UnsafeRawBufferPointer, interface: Int) -> Bool {
    let address = creference_portable_take(reference)
    guard address != .max, let base = bytes.baseAddress else { return false }
    (memory.base + Int(address)).copyMemory(from: base, byteCount: bytes.count)
    return creference_portable_offer(reference, address, UInt32(bytes.count), UInt32(interface))
  }

  @discardableResult func turnNow() -> Int { creference_portable_turn_now(reference) }

  @discardableResult func turn(atNanoseconds now: UInt64) -> Int { creference_portable_turn(reference, now) }

  func sweep(atNanoseconds now: UInt64) {
    creference_portable_turn(reference, now)
    creference_portable_sweep(reference)
  }

  func outcomes() -> [UInt64] {
    ReferenceOutcome.counts { creference_portable_counter(reference, $0) }
  }

  func connections() -> (active: Int, inactive: Int) {
    (0..<Scenario.serverCount).reduce((0, 0)) {
      (
        $0.0 + Int(creference_portable_table_active(table, $1)),
        $0.1 + Int(creference_portable_table_inactive(table, $1))
      )
    }
  }

  func expired() -> UInt64 { creference_portable_expired(reference) }

  func forEachSent(_ body: (Int, Int, UnsafeRawBufferPointer) -> Void) {
    for index in 0..<Frames.batch {
      let interface = creference_portable_egress_of(reference, index)
      guard interface >= 0 else { continue }
      let start = memory.base + Int(creference_portable_address_of(reference, index))
      let count = Int(creference_portable_byte_count_of(reference, index))
      body(index, Int(interface), UnsafeRawBufferPointer(start: start, count: count))
    }
  }
}
