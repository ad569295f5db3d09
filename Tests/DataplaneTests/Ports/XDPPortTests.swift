import CShims
import Glibc
import Kernel
import Testing

@testable import Dataplane

@Suite(.enabled(if: NetworkSandbox.isAvailable, "needs the privilege to make network namespaces"), .serialized)
struct XDPPortTests {
  /// A program that redirects everything to the queue's socket, attached to an interface.
  private struct Redirector: ~Copyable {
    let map: FileDescriptor
    private let program: TestProgram

    init(_ interface: String, flags: UInt32) throws {
      let map = try FileDescriptor(
        checking: bpf_map_create(BPF_MAP_TYPE_XSKMAP, "sockets", 4, 4, 4, nil), "make XSKMAP")
      let program = try TestProgram(
        type: BPF_PROG_TYPE_XDP,
        [
          0x61 | 0x12 << 8 | 16 << 16,  // r2 = context.rx_queue_index
          0x18 | 0x11 << 8 | UInt64(UInt32(map.number)) << 32, 0,  // r1 = map
          0xb7 | 0x03 << 8 | 2 << 32,  // r3 = XDP_PASS, if no socket is there
          0x85 | 51 << 32,  // bpf_redirect_map
          0x95,
        ])
      let error = bpf_xdp_attach(Int32(if_nametoindex(interface)), program.descriptor, flags, nil)
      guard error == 0 else { throw SystemError("attach test program to \(interface)", errno: error) }
      self.map = map
      self.program = program
    }
  }

  enum Mode: String, Sendable, CaseIterable {
    case native, generic
    var flags: UInt32 { self == .native ? 1 << 2 : 1 << 1 }
    var transfer: XDPSocket.Transfer { self == .native ? .zeroCopyPreferred : .copy }
  }

  private static func withPort<Value>(
    _ mode: Mode = .native, frames: Int = 4096, fill: Int = 2048,
    _ body: @escaping @Sendable (inout PortDriver<XDPPort>) throws -> Value
  ) throws -> Value {
    try NetworkSandbox.run {
      try NetworkSandbox.makePair()
      let redirector = try Redirector("right", flags: mode.flags)
      let umem = try UMEM(frameCount: frames)
      var pool = umem.makePool()
      let socket = try XDPSocket(umem: umem, interface: "right", queue: 0, transfer: mode.transfer)
      try socket.insert(intoMap: redirector.map.number)
      let port = XDPPort(socket: socket, fillTarget: fill, pool: &pool)
      var driver = PortDriver(port: port, pool: pool)
      let value = try body(&driver)
      _ = consume redirector
      return value
    }
  }

  @Test(arguments: Mode.allCases)
  func framesArriveUnchanged(mode: Mode) throws {
    let sent = SampleFrame.series(300)
    let (received, free, missed, offsets) = try XDPPortTests.withPort(mode) { driver in
      let wire = try RawSocket("left")
      for frame in sent where !wire.send(frame) { throw SystemError.current("send") }
      let received = driver.receive(300)
      return (received, driver.pool.freeCount, driver.port.missedFrameCount(), driver.port.socket.isZeroCopy)
    }
    #expect(received == sent)
    // Two thousand frames and a few are with the device.
    #expect(free >= 4096 - 2048 && free < 4096 - 2048 + 32)
    #expect(missed == 0)
    #expect(!offsets)
  }

  /// Far more frames than the memory has: all of them must come back from the rings.
  @Test(arguments: Mode.allCases)
  func framesGoRound(mode: Mode) throws {
    let sent = SampleFrame.series(50)
    let (received, echoed, free) = try XDPPortTests.withPort(mode, frames: 256, fill: 128) { driver in
      let wire = try RawSocket("left")
      var received = 0
      var echoed = 0
      for _ in 0..<100 {
        for frame in sent where !wire.send(frame) { throw SystemError.current("send") }
        received += driver.receive(50) == sent ? 1 : 0
        guard driver.transmit(sent) == 50 else { break }
        let back = (0..<50).compactMap { _ in wire.receive() }
        echoed += back == sent ? 1 : 0
        driver.port.reclaim(into: &driver.pool)
      }
      return (received, echoed, driver.pool.freeCount)
    }
    #expect(received == 100)
    #expect(echoed == 100)
    #expect(free >= 128 && free < 128 + 32)
  }

  /// Packets start where the pool says they do, whoever wrote them there.
  @Test func packetsStartAtTheHeadroom() throws {
    let starts = try XDPPortTests.withPort { driver in
      let wire = try RawSocket("left")
      _ = wire.send(SampleFrame.series(1)[0])
      _ = Epoll.waitReadable(driver.port.pollDescriptor, timeoutMilliseconds: 1000)
      let slot = UnsafeMutablePointer<FrameDescriptor>.allocate(capacity: 1)
      defer { slot.deallocate() }
      let count = driver.port.receive(into: slot, limit: 1, pool: &driver.pool)
      return count == 1 ? Int(slot[0].address) % 2048 : -1
    }
    #expect(starts == FramePool.headroomByteCount)
  }

  /// More than the transmit ring holds, at once: what is not accepted stays the caller's.
  @Test func aFullRingIsEmptiedOnce() throws {
    let sent = SampleFrame.series(3000, lengths: [60])
    let (accepted, count, free) = try XDPPortTests.withPort(frames: 8192, fill: 64) { driver in
      let wire = try RawSocket("left")
      let accepted = driver.transmit(sent)
      driver.port.reclaim(into: &driver.pool)
      var count = 0
      while count < accepted, wire.receive() != nil { count += 1 }
      return (accepted, count, driver.pool.freeCount)
    }
    #expect(accepted == 3000)
    // The raw socket's buffer is smaller than that; what it kept is a prefix.
    #expect(count > 100)
    #expect(free == 8192 - 64)
  }

  @Test func interfaceDownKeepsWhatCannotBeSent() throws {
    let (accepted, hasUnsent, later) = try XDPPortTests.withPort { driver in
      try NetworkSandbox.shell("ip link set right down")
      let accepted = driver.transmit(SampleFrame.series(10))
      let hasUnsent = driver.port.hasUnsent
      try NetworkSandbox.setUp("right")
      driver.port.flush()
      driver.port.reclaim(into: &driver.pool)
      return (accepted, hasUnsent, driver.port.hasUnsent)
    }
    #expect(accepted == 10)
    #expect(hasUnsent)
    #expect(!later)
  }

  /// Two ports over one memory: a frame received at one is sent by the other without a copy.
  @Test func portsShareFrames() throws {
    let sent = SampleFrame.series(500)
    let (received, free) = try NetworkSandbox.run {
      try NetworkSandbox.makePair()
      try NetworkSandbox.makePair("far", "near")
      let redirector = try Redirector("right", flags: 1 << 2)
      let umem = try UMEM(frameCount: 1024)
      var pool = umem.makePool()
      var inbound = XDPPort(
        socket: try XDPSocket(umem: umem, interface: "right", queue: 0), fillTarget: 256, pool: &pool)
      var outbound = XDPPort(
        socket: try XDPSocket(umem: umem, interface: "near", queue: 0), fillTarget: 256, pool: &pool)
      try inbound.socket.insert(intoMap: redirector.map.number)
      let source = try RawSocket("left")
      let sink = try RawSocket("far")
      let slots = UnsafeMutablePointer<FrameDescriptor>.allocate(capacity: 64)
      defer { slots.deallocate() }
      var received: [[UInt8]] = []
      for frame in sent {
        guard source.send(frame) else { throw SystemError.current("send") }
        let count = inbound.receive(into: slots, limit: 64, pool: &pool)
        let accepted = outbound.transmit(slots, count: count, pool: &pool)
        guard accepted == count else { break }
        outbound.flush()
        outbound.reclaim(into: &pool)
        for _ in 0..<count { sink.receive().map { received.append($0) } }
      }
      _ = consume redirector
      return (received, pool.freeCount)
    }
    #expect(received == sent)
    #expect(free >= 512 && free < 512 + 32)
  }

  private final class Holder: @unchecked Sendable {
    var socket: XDPSocket?
    init(_ socket: consuming XDPSocket) { self.socket = consume socket }
  }

  /// The former owner of a queue goes while we wait for it.
  @Test func aQueueThatBecomesFreeIsTaken() throws {
    let (waited, isBound) = try NetworkSandbox.run {
      try NetworkSandbox.makePair()
      let holder = Holder(try XDPSocket(umem: try UMEM(frameCount: 64), interface: "right", queue: 0))
      let releaser = try PinnedThread.start(name: "releaser", core: nil) {
        usleep(300_000)
        holder.socket = nil
      }
      let start = MonotonicClock.nanoseconds()
      let socket = try XDPSocket(umem: try UMEM(frameCount: 64), interface: "right", queue: 0)
      let waited = MonotonicClock.nanoseconds() - start
      releaser.join()
      return (waited, socket.descriptor >= 0)
    }
    #expect(isBound)
    #expect(waited >= 200_000_000)
  }

  /// Each queue of an interface has its socket; the stack spreads frames by flow, and each reaches one of them.
  @Test func queuesShareAnInterface() throws {
    let sent = (0..<64).map { index in
      var bytes = SampleFrame(transport: .udp, payload: Array(1...100)).bytes()
      bytes[35] = UInt8(index)
      return bytes
    }
    let received = try NetworkSandbox.run {
      try NetworkSandbox.makePair(options: "numrxqueues 2 numtxqueues 2")
      let redirector = try Redirector("right", flags: 1 << 2)
      let umem = try UMEM(frameCount: 1024)
      var pool = umem.makePool()
      var first = XDPPort(
        socket: try XDPSocket(umem: umem, interface: "right", queue: 0), fillTarget: 256, pool: &pool)
      var second = XDPPort(
        socket: try XDPSocket(umem: umem, interface: "right", queue: 1), fillTarget: 256, pool: &pool)
      try first.socket.insert(intoMap: redirector.map.number)
      try second.socket.insert(intoMap: redirector.map.number)
      let wire = try RawSocket("left")
      for frame in sent where !wire.send(frame) { throw SystemError.current("send") }
      usleep(100_000)
      let slots = UnsafeMutablePointer<FrameDescriptor>.allocate(capacity: 128)
      defer { slots.deallocate() }
      var count = first.receive(into: slots, limit: 64, pool: &pool)
      count += second.receive(into: slots + count, limit: 64, pool: &pool)
      _ = consume redirector
      return (0..<count).map { index in
        Array(UnsafeRawBufferPointer(start: pool.base + Int(slots[index].address), count: Int(slots[index].byteCount)))
      }
    }
    #expect(received.count == 64)
    #expect(Set(received) == Set(sent))
  }

  struct Failing: Sendable, CustomTestStringConvertible {
    let interface: String
    let queue: Int
    let message: String
    var testDescription: String { message }
  }

  static let failing = [
    Failing(
      interface: "right", queue: 0,
      message: "cannot bind AF_XDP socket to right queue 0: EBUSY (another program owns this queue)"),
    Failing(
      interface: "right", queue: 9,
      message: "cannot bind AF_XDP socket to right queue 9: EINVAL (does the interface have this queue?)"),
    Failing(
      interface: "nosuch0", queue: 0,
      message: "cannot bind AF_XDP socket to nosuch0 queue 0: ENODEV (there is no such interface)"),
  ]

  @Test(arguments: failing)
  func bindErrorsSayWhy(row: Failing) throws {
    let message = try XDPPortTests.withPort { _ in
      let umem = try UMEM(frameCount: 64)
      do {
        _ = try XDPSocket(umem: umem, interface: row.interface, queue: row.queue)
        return "bound"
      } catch let error as SystemError {
        return error.description
      }
    }
    #expect(message == row.message)
  }
}
