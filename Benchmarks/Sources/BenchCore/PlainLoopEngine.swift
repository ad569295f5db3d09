import CReference
import Kernel

/// The plain loop with a table of two lines a flow: a floor, for DR and NAT requests by IPv4.
final class PlainLoopEngine {
  private let memory: MappedMemory
  private let loop: OpaquePointer
  private var frames: [plain_loop_frame] = []
  private let scenario: Scenario

  /// - Parameter flows: 0 and up, each known from the start.
  init(_ scenario: Scenario, flows: Int) throws {
    let memory = try MappedMemory(byteCount: Frames.count * Frames.stride, hugePages: .preferred)
    let mode = scenario.mode == .nat ? PLAIN_LOOP_NAT : PLAIN_LOOP_DR
    guard let loop = plain_loop_create(flows, mode, memory.base) else {
      throw BenchError("make the plain loop's table of \(flows) flows: no memory")
    }
    self.memory = memory
    self.loop = loop
    self.scenario = scenario
    frames.reserveCapacity(Frames.count)
    for flow in 0..<flows {
      var entry = self.entry(flow)
      guard plain_loop_add(loop, &entry) else { throw BenchError("fill the plain loop's table: no room for \(flow)") }
    }
  }

  deinit { plain_loop_destroy(loop) }

  private func entry(_ flow: Int) -> plain_loop_flow {
    let server = flow % Scenario.serverCount
    let client = UInt32(truncatingIfNeeded: scenario.client(flow).low)
    let port = scenario.clientPort(flow)
    return plain_loop_flow(
      client: client, vip: UInt32(truncatingIfNeeded: scenario.vip.low), client_port: port, vport: Scenario.port,
      source: client, destination: UInt32(truncatingIfNeeded: scenario.server(server).low), source_port: port,
      destination_port: scenario.serverPort, server_mac: Scenario.station(server), own_mac: Scenario.inside)
  }

  /// Puts a frame into the next place.
  func offer(_ bytes: UnsafeRawBufferPointer) {
    guard frames.count < Frames.count, let base = bytes.baseAddress else { return }
    let address = frames.count * Frames.stride + 256
    (memory.base + address).copyMemory(from: base, byteCount: bytes.count)
    frames.append(.init(address: UInt64(address), byte_count: UInt32(bytes.count), options: 0))
  }

  /// Takes everything that was offered through the loop, in batches of 64 as the others have.
  /// - Returns: nanoseconds, and how many were forwarded.
  func process() -> (nanoseconds: UInt64, forwarded: Int) {
    let result = frames.withUnsafeBufferPointer { frames -> (UInt64, Int) in
      guard let base = frames.baseAddress else { return (0, 0) }
      var forwarded = 0
      let start = Stopwatch.nanoseconds()
      for first in stride(from: 0, to: frames.count, by: Frames.batch) {
        forwarded += plain_loop_process(loop, base + first, min(Frames.batch, frames.count - first))
      }
      return (Stopwatch.nanoseconds() - start, forwarded)
    }
    frames.removeAll(keepingCapacity: true)
    return result
  }
}
