import Glibc
import Kernel

@testable import Dataplane

/// Drives a port the way a worker does, in small.
struct PortDriver<P: Port & ~Copyable>: ~Copyable {
  var port: P
  var pool: FramePool

  init(port: consuming P, pool: consuming FramePool) {
    self.port = port
    self.pool = pool
  }

  /// Receives until `count` frames came or half a second brought none; takes at most `limit` at a time.
  mutating func receive(_ count: Int, limit: Int = 16) -> [[UInt8]] {
    var frames: [[UInt8]] = []
    let slots = UnsafeMutablePointer<FrameDescriptor>.allocate(capacity: limit)
    defer { slots.deallocate() }
    while frames.count < count {
      let received = port.receive(into: slots, limit: limit, pool: &pool)
      for index in 0..<received {
        let start = pool.base + Int(slots[index].address)
        frames.append(Array(UnsafeRawBufferPointer(start: start, count: Int(slots[index].byteCount))))
        pool.give(slots[index].address)
      }
      if received == 0, !Epoll.waitReadable(port.pollDescriptor, timeoutMilliseconds: 500) { break }
    }
    return frames
  }

  /// Queues and sends frames; how many were accepted.
  mutating func transmit(_ frames: [[UInt8]]) -> Int {
    let slots = UnsafeMutablePointer<FrameDescriptor>.allocate(capacity: frames.count)
    defer { slots.deallocate() }
    for (index, frame) in frames.enumerated() {
      let start = pool.take()! + UInt64(FramePool.headroomByteCount)
      frame.withUnsafeBytes { (pool.base + Int(start)).copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
      slots[index] = FrameDescriptor(address: start, byteCount: UInt32(frame.count))
    }
    let accepted = port.transmit(slots, count: frames.count, pool: &pool)
    for index in accepted..<frames.count { pool.give(slots[index].address) }
    port.flush()
    return accepted
  }
}

extension SampleFrame {
  /// Frames of several lengths, each different.
  static func series(_ count: Int, lengths: [Int] = [60, 64, 333, 1000, 1514]) -> [[UInt8]] {
    (0..<count).map { index in
      var sample = SampleFrame(transport: .udp, identification: UInt16(index))
      let length = lengths[index % lengths.count]
      sample.payload = (0..<length - 42).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ index) }
      return sample.bytes()
    }
  }
}
