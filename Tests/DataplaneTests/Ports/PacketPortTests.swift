import CShims
import Glibc
import Kernel
import Testing

@testable import Dataplane

@Suite(.enabled(if: NetworkSandbox.isAvailable, "needs the privilege to make network namespaces"))
struct PacketPortTests {
  /// A port at the right end of a pair, over 256 frames, and what `body` finds with it.
  private static func withPort<Value>(
    mtu: Int = 1500, filter: Int32? = nil,
    _ body: @escaping @Sendable (inout PortDriver<PacketPort>) throws -> Value
  ) throws -> Value {
    try NetworkSandbox.run {
      try NetworkSandbox.makePair(mtu: mtu)
      let memory = try MappedMemory(byteCount: 256 * 2048)
      let pool = FramePool(base: memory.base, chunkByteCount: 2048, frameCount: 256)
      var driver = PortDriver(port: try PacketPort(interface: "right", filter: filter), pool: pool)
      return try body(&driver)
    }
  }

  /// Sends with a virtio header in front, as a virtual machine's network card would.
  private static func sendOffloaded(_ frame: [UInt8], _ offload: virtio_net_hdr) throws {
    let descriptor = socket(AF_PACKET, Int32(SOCK_RAW.rawValue), 0)
    defer { close(descriptor) }
    var yes: Int32 = 1
    setsockopt(descriptor, SOL_PACKET, PACKET_VNET_HDR, &yes, 4)
    _ = lbd_packet_bind(descriptor, Int32(if_nametoindex("left")), 3)
    let bytes = withUnsafeBytes(of: offload) { Array($0) } + frame
    guard send(descriptor, bytes, bytes.count, 0) == bytes.count else { throw SystemError.current("send") }
  }

  @Test func framesArriveUnchanged() throws {
    let sent = SampleFrame.series(200)
    let (received, free, missed) = try PacketPortTests.withPort { driver in
      let wire = try RawSocket("left")
      for frame in sent where !wire.send(frame) { throw SystemError.current("send") }
      let received = driver.receive(200)
      return (received, driver.pool.freeCount, driver.port.missedFrameCount())
    }
    #expect(received == sent)
    #expect(free == 256)
    #expect(missed == 0)
  }

  @Test func framesLeaveUnchangedAndAreNotSeenAgain() throws {
    let sent = SampleFrame.series(100)
    let (accepted, received, echoed, free) = try PacketPortTests.withPort { driver in
      let wire = try RawSocket("left")
      let accepted = driver.transmit(sent)
      let received = (0..<100).compactMap { _ in wire.receive() }
      return (accepted, received, driver.receive(1), driver.pool.freeCount)
    }
    #expect(accepted == 100)
    #expect(received == sent)
    #expect(echoed == [])
    #expect(free == 256)
  }

  /// More frames than the ring has slots, and one the device refuses among them.
  @Test func aRefusedFrameDoesNotStopTheOthers() throws {
    let short = SampleFrame.series(700, lengths: [60])
    let refused = SampleFrame.series(1, lengths: [1700])
    let (accepted, arrived) = try PacketPortTests.withPort { driver in
      let wire = try RawSocket("left")
      var accepted = 0
      var arrived: [[UInt8]] = []
      for start in stride(from: 0, to: 700, by: 50) {
        accepted += driver.transmit(Array(short[start..<start + 50]) + (start == 100 ? refused : []))
        for _ in 0..<50 { wire.receive().map { arrived.append($0) } }
      }
      return (accepted, arrived)
    }
    #expect(accepted == 701)
    #expect(arrived == short)
  }

  static let tagRows: [[[UInt8]]] = [
    [[0x81, 0, 0x20, 5]], [[0x88, 0xa8, 0, 7]], [[0x88, 0xa8, 0, 7], [0x81, 0, 0xe0, 1]],
  ]

  @Test(arguments: tagRows)
  func tagsArePutBack(tags: [[UInt8]]) throws {
    let sent = SampleFrame(tags: tags, payload: Array(1...200)).bytes()
    let received = try PacketPortTests.withPort { driver in
      let wire = try RawSocket("left")
      guard wire.send(sent) else { throw SystemError.current("send") }
      return driver.receive(1)
    }
    #expect(received == [sent])
  }

  @Test(arguments: [false, true])
  func unfinishedChecksumsAreFinished(hasTag: Bool) throws {
    let sample = SampleFrame(
      transport: .udp, tags: hasTag ? [[0x81, 0, 0, 3]] : [], payload: Array(1...201))
    let received = try PacketPortTests.withPort { driver in
      var offload = virtio_net_hdr()
      offload.flags = UInt8(VIRTIO_NET_HDR_F_NEEDS_CSUM)
      offload.csum_start = UInt16(sample.transportOffset)
      offload.csum_offset = 6
      try PacketPortTests.sendOffloaded(sample.bytes(isUnfinished: true), offload)
      return driver.receive(1)
    }
    #expect(received == [sample.bytes()])
  }

  static let mergedRows = SuperFrameTests.rows.filter {
    $0.isUnfinished && $0.frame.payload.count > $0.size && $0.frame.extensionHeaders.isEmpty && $0.frame.tags.count < 2
  }

  /// Merged frames through the kernel, with batches so small that cutting is interrupted, and a frame behind them.
  @Test(arguments: mergedRows, [1, 3, 64])
  func mergedFramesAreCut(row: SuperFrameTests.Row, limit: Int) throws {
    let whole = row.frame.bytes(isUnfinished: true)
    let offload = SuperFrameTests.offload(row)
    let wanted = try #require(SuperFrameTests.cut(whole, offload))
    let last = SampleFrame.series(1)[0]
    let (received, missed, free) = try PacketPortTests.withPort { driver in
      var described = offload
      described.hdr_len = UInt16(whole.count - row.frame.payload.count)
      try PacketPortTests.sendOffloaded(whole, described)
      guard try RawSocket("left").send(last) else { throw SystemError.current("send") }
      return (driver.receive(wanted.count + 1, limit: limit), driver.port.missedFrameCount(), driver.pool.freeCount)
    }
    #expect(received == wanted + [last])
    #expect(missed == 0)
    #expect(free == 256)
  }

  @Test func tooLongFramesAreCounted() throws {
    let frames = SampleFrame.series(3, lengths: [60, 3000, 1792])
    let (received, missed, free) = try PacketPortTests.withPort(mtu: 9000) { driver in
      let wire = try RawSocket("left")
      for frame in frames where !wire.send(frame) { throw SystemError.current("send") }
      return (driver.receive(2), driver.port.missedFrameCount(), driver.pool.freeCount)
    }
    #expect(received == [frames[0], frames[2]])
    #expect(missed == 1)
    #expect(free == 256)
  }

  /// A filter that wants nothing lets nothing in; "accept" is the length kept.
  @Test(arguments: [(0, 0), (0x40000, 1)])
  func filterDecides(accept: Int, wanted: Int) throws {
    // r0 = accept; exit
    let program = try TestProgram(type: BPF_PROG_TYPE_SOCKET_FILTER, [0xb7 | UInt64(accept) << 32, 0x95])
    let filter = program.descriptor
    let received = try PacketPortTests.withPort(filter: filter) { driver in
      let wire = try RawSocket("left")
      guard wire.send(SampleFrame.series(1)[0]) else { throw SystemError.current("send") }
      return driver.receive(1)
    }
    #expect(received.count == wanted)
    _ = consume program
  }

  /// Two members of a fanout group share the flows: each frame reaches exactly one.
  @Test func fanoutSharesFlows() throws {
    let frames = (0..<64).map { index in
      var bytes = SampleFrame(transport: .udp, payload: Array(1...100)).bytes()
      bytes[35] = UInt8(index)
      return bytes
    }
    let (first, second) = try NetworkSandbox.run {
      try NetworkSandbox.makePair()
      let memory = try MappedMemory(byteCount: 512 * 2048)
      let group = PacketRing.Fanout(group: 77)
      var one = PortDriver(
        port: try PacketPort(interface: "right", fanout: group),
        pool: FramePool(base: memory.base, chunkByteCount: 2048, frameCount: 256))
      var two = PortDriver(
        port: try PacketPort(interface: "right", fanout: group),
        pool: FramePool(base: memory.base + 256 * 2048, chunkByteCount: 2048, frameCount: 256))
      let wire = try RawSocket("left")
      for frame in frames where !wire.send(frame) { throw SystemError.current("send") }
      return (one.receive(64), two.receive(64))
    }
    #expect(first.count + second.count == 64)
    #expect(!first.isEmpty && !second.isEmpty)
    #expect(Set(first + second) == Set(frames))
  }

  /// After the interface went down and came up again, the port neither spins nor stays deaf.
  @Test func survivesInterfaceDown() throws {
    let frame = SampleFrame.series(1)[0]
    let (isQuiet, received) = try PacketPortTests.withPort { driver in
      try NetworkSandbox.shell("ip link set right down")
      _ = driver.receive(1)
      var isQuiet = false
      for _ in 0..<300 where !isQuiet {
        _ = driver.receive(1, limit: 1)
        isQuiet = !Epoll.waitReadable(driver.port.pollDescriptor, timeoutMilliseconds: 0)
      }
      try NetworkSandbox.setUp("right")
      guard try RawSocket("left").send(frame) else { throw SystemError.current("send") }
      return (isQuiet, driver.receive(1))
    }
    #expect(isQuiet)
    #expect(received == [frame])
  }

  @Test func missingInterfaceSaysSo() {
    let error = #expect(throws: SystemError.self) { _ = try PacketPort(interface: "nosuch0") }
    #expect(
      error?.description == "cannot open packet socket for sending on nosuch0: ENODEV (there is no such interface)")
  }
}

/// A loaded BPF program of a few instructions, given as the words of the instruction format.
struct TestProgram: ~Copyable {
  private let file: FileDescriptor
  var descriptor: Int32 { file.number }

  init(type: bpf_prog_type, _ words: [UInt64]) throws {
    let number = words.withUnsafeBytes {
      bpf_prog_load(
        type, "test", "GPL", $0.baseAddress!.assumingMemoryBound(to: bpf_insn.self), words.count, nil)
    }
    guard number >= 0 else { throw SystemError("load test program", errno: number) }
    file = FileDescriptor(adopting: number)
  }
}
