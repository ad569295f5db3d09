import Glibc
import Kernel
import Testing

@testable import Dataplane

struct PcapPortTests {
  static func frame(_ count: Int, _ seed: UInt8) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0) &+ seed }
  }

  private static func feed(_ port: inout PcapPort, _ bytes: [UInt8], at time: UInt64 = 0) {
    bytes.withUnsafeBytes { port.feed(bytes: $0, nanoseconds: time) }
  }

  private static func drained(_ port: inout PcapPort) -> [[UInt8]] {
    var frames: [[UInt8]] = []
    port.drainTransmitted { frames.append(Array($0)) }
    return frames
  }

  /// Moves everything that may be received to the other side; how many frames went.
  private static func echo(_ port: inout PcapPort, _ pool: inout FramePool, limit: Int = 4) -> Int {
    var total = 0
    withUnsafeTemporaryAllocation(of: FrameDescriptor.self, capacity: limit) { frames in
      while true {
        let count = port.receive(into: frames.baseAddress!, limit: limit, pool: &pool)
        if count == 0 { return }
        total += port.transmit(frames.baseAddress!, count: count, pool: &pool)
      }
    }
    return total
  }

  @Test func memoryKeepsBytesOrderAndFrames() throws {
    let memory = try MappedMemory(byteCount: 8 * 2048)
    var pool = FramePool(base: memory.base, chunkByteCount: 2048, frameCount: 8)
    var port = PcapPort()
    let frames = (0..<40).map { PcapPortTests.frame(60 + $0 * 40, UInt8($0)) }
    for frame in frames { PcapPortTests.feed(&port, frame) }
    #expect(PcapPortTests.echo(&port, &pool) == 40)
    #expect(PcapPortTests.drained(&port) == frames)
    #expect(PcapPortTests.drained(&port) == [])
    #expect(pool.freeCount == 8)
    #expect(port.pollDescriptor == -1)
  }

  @Test func tooLongFramesAreReportedNotCut() throws {
    let memory = try MappedMemory(byteCount: 8 * 2048)
    var pool = FramePool(base: memory.base, chunkByteCount: 2048, frameCount: 8)
    var port = PcapPort()
    for count in [1792, 1793, 60] { PcapPortTests.feed(&port, PcapPortTests.frame(count, 1)) }
    #expect(PcapPortTests.echo(&port, &pool) == 2)
    #expect(PcapPortTests.drained(&port).map(\.count) == [1792, 60])
    #expect(port.tooLongFrameCount == 1)
    #expect(port.missedFrameCount() == 1)
    #expect(pool.freeCount == 8)
  }

  @Test func horizonHoldsFramesBack() throws {
    let memory = try MappedMemory(byteCount: 8 * 2048)
    var pool = FramePool(base: memory.base, chunkByteCount: 2048, frameCount: 8)
    var port = PcapPort()
    for time in [10, 20, 30] { PcapPortTests.feed(&port, PcapPortTests.frame(60, UInt8(time)), at: UInt64(time)) }
    #expect([port.nextTimestamp()] == [10])
    port.horizonNanoseconds = 20
    #expect(PcapPortTests.echo(&port, &pool) == 2)
    #expect([port.nextTimestamp()] == [30])
    port.horizonNanoseconds = .max
    #expect(PcapPortTests.echo(&port, &pool) == 1)
    #expect([port.nextTimestamp()] == [nil])
  }

  @Test func filesRoundTrip() throws {
    let path = "/tmp/lbd-pcap-port-\(getpid()).pcap"
    defer { unlink(path) }
    let memory = try MappedMemory(byteCount: 8 * 2048)
    var pool = FramePool(base: memory.base, chunkByteCount: 2048, frameCount: 8)
    let frames = (0..<20).map { PcapPortTests.frame(60 + $0, UInt8($0)) }
    var writer = try PcapPort(reading: nil, writing: path)
    withUnsafeTemporaryAllocation(of: FrameDescriptor.self, capacity: 1) { slot in
      for (index, frame) in frames.enumerated() {
        let start = pool.take()! + 256
        frame.withUnsafeBytes { (pool.base + Int(start)).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        slot[0] = FrameDescriptor(address: start, byteCount: UInt32(frame.count))
        writer.transmitNanoseconds = UInt64(index) * 5_000_000_000
        _ = writer.transmit(slot.baseAddress!, count: 1, pool: &pool)
      }
    }
    try writer.finish()
    var reader = try PcapPort(reading: path, writing: nil)
    reader.horizonNanoseconds = 50_000_000_000
    #expect(PcapPortTests.echo(&reader, &pool) == 11)
    #expect([reader.nextTimestamp()] == [55_000_000_000])
    reader.horizonNanoseconds = .max
    #expect(PcapPortTests.echo(&reader, &pool) == 9)
    #expect(PcapPortTests.drained(&reader) == frames)
    #expect(reader.damage == nil)
    #expect(pool.freeCount == 8)
  }

  @Test func missingFileSaysSo() {
    let error = #expect(throws: PcapPort.CaptureError.self) {
      _ = try PcapPort(reading: "/nonexistent/x.pcap", writing: nil)
    }
    #expect(error?.description.hasPrefix("cannot read capture /nonexistent/x.pcap: ") == true)
  }

  @Test func damagedFileIsNoted() throws {
    let path = "/tmp/lbd-pcap-damaged-\(getpid()).pcap"
    defer { unlink(path) }
    // A header of little-endian microseconds, Ethernet; then a record that promises more than there is.
    let bytes: [UInt8] =
      [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0]
      + [1, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0, 0, 1, 2, 3]
    let descriptor = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    _ = write(descriptor, bytes, bytes.count)
    close(descriptor)
    let memory = try MappedMemory(byteCount: 8 * 2048)
    var pool = FramePool(base: memory.base, chunkByteCount: 2048, frameCount: 8)
    var port = try PcapPort(reading: path, writing: nil)
    #expect(PcapPortTests.echo(&port, &pool) == 0)
    #expect(port.damage != nil)
  }
}
