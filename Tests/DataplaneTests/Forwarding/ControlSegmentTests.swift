import Testing
import Wire

@testable import Dataplane

/// A segment's numbers and text replaced in place, with the checksums a full computation would give.
@Suite struct ControlSegmentTests {
  static let families = [IPAddress.Family.ipv4, .ipv6]

  /// A frame in memory of its own, and its packet as parse finds it.
  private final class Held {
    let memory: UnsafeMutableRawPointer
    let packet: UnsafeMutablePointer<Packet>
    static let capacity = 4096

    init(_ sample: TestPacket) {
      memory = .allocate(byteCount: Held.capacity, alignment: 64)
      packet = .allocate(capacity: 1)
      memory.initializeMemory(as: UInt8.self, repeating: 0xee, count: Held.capacity)
      UnsafeMutableRawPointer(packet).initializeMemory(
        as: UInt8.self, repeating: 0, count: MemoryLayout<Packet>.size)
      let frame = sample.arriving
      memory.copyMemory(from: frame, byteCount: frame.count)
      var ends = PacketEnds(source: 0, destination: 0)
      let outcome = Parse.packet(
        packet, memory, byteCount: frame.count, ownAddress: Network.outside.number, ends: &ends)
      #expect(outcome == .pending)
      packet.pointee.form = PacketForm(isIPv6: packet.pointee.isIPv6, isReply: false).odd
    }

    deinit {
      memory.deallocate()
      packet.deallocate()
    }

    var frame: [UInt8] {
      Array(UnsafeRawBufferPointer(start: memory, count: 14 + Int(packet.pointee.byteCount)))
    }
  }

  private static func sample(_ family: IPAddress.Family, _ text: String = "", options: [UInt8] = []) -> TestPacket {
    TestPacket.request(TestService(family: family, port: 21), TCP.ack | TCP.psh).with {
      $0.payload = Array(text.utf8)
      $0.segmentOptions = options
      $0.acknowledgement = 5060
    }
  }

  @Test(arguments: families) func textAndNumberAreThose(family: IPAddress.Family) throws {
    for text in ["", "PASV\r\n"] {
      for options in [[], [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]] as [[UInt8]] {
        let held = Held(Self.sample(family, text, options: options))
        try withExtendedLifetime(held) {
          let segment = try #require(ControlSegment(held.packet))
          #expect(segment.sequence == 1000)
          #expect(Array(segment.data) == Array(text.utf8))
        }
      }
    }
  }

  @Test(arguments: families) func numbersAreAdded(family: IPAddress.Family) throws {
    for amount in [0, 1, -1, 0x7fff, -0x8000, 77_777, -77_777] as [Int32] {
      let held = Held(Self.sample(family, "x"))
      try #require(ControlSegment(held.packet)).add(amount, at: TCP.sequenceOffset)
      #expect(held.frame == Self.sample(family, "x").with { $0.sequence &+= UInt32(bitPattern: amount) }.arriving)
    }
  }

  /// Blocks at every alignment, in front of the change and behind it.
  @Test(arguments: families) func acknowledgementsAreGivenBack(family: IPAddress.Family) throws {
    let shift = try #require(SequenceShift(word: 0).adding(5, at: 5000))
    func block(_ numbers: UInt32...) -> [UInt8] {
      var bytes = [5, UInt8(2 + numbers.count * 4)]
      for number in numbers { for shift in [24, 16, 8, 0] { bytes.append(UInt8(number >> UInt32(shift) & 255)) } }
      return bytes
    }
    let rows: [(name: String, client: [UInt8], server: [UInt8])] = [
      ("none", [], []), ("two NOP", [1, 1] + block(5105, 5205), [1, 1] + block(5100, 5200)),
      ("one NOP", [1] + block(5105, 5205) + [1], [1] + block(5100, 5200) + [1]),
      ("none in front", block(5105, 5205) + [1, 1], block(5100, 5200) + [1, 1]),
      ("before the change", [1, 1] + block(4900, 5000), [1, 1] + block(4900, 5000)),
      ("around it", [1, 1] + block(5000, 5205, 5305, 5405), [1, 1] + block(5000, 5200, 5300, 5400)),
      ("behind the end", [0, 1] + block(5105, 5205), [0, 1] + block(5105, 5205)),
      ("behind a length of 0", [9, 0] + block(5105, 5205), [9, 0] + block(5105, 5205)),
      ("longer than the header", [1, 1, 5, 200, 0, 0, 0, 0], [1, 1, 5, 200, 0, 0, 0, 0]),
      ("cut within a block", [1, 1, 5, 6, 0, 0, 0x13, 0xf1], [1, 1, 5, 6, 0, 0, 0x13, 0xec]),
      ("empty", [1, 1, 5, 2], [1, 1, 5, 2]),
    ]
    for row in rows {
      let held = Held(Self.sample(family, options: row.client))
      try #require(ControlSegment(held.packet)).unshift(shift)
      let wanted = Self.sample(family, options: row.server).with { $0.acknowledgement = 5055 }
      #expect(held.frame == wanted.arriving, "\(row.name)")
    }
    let held = Held(Self.sample(family).with { $0.flags = TCP.syn })
    try #require(ControlSegment(held.packet)).unshift(shift)
    #expect(held.frame == Self.sample(family).with { $0.flags = TCP.syn }.arriving, "nothing is acknowledged")
  }

  @Test func announcementsAreReplaced() throws {
    let near = IPAddress("10.1.0.100")!.words.low
    let rows: [(text: String, range: Range<Int>, port: UInt16, isExtended: Bool, wanted: String)] = [
      ("227 (10,2,0,11,1,2)\r\n", 5..<18, 258, false, "227 (10,1,0,100,1,2)\r\n"),
      ("227 (010,002,000,011,001,002)\r\n", 5..<28, 258, false, "227 (10,1,0,100,1,2)\r\n"),
      ("229 (|||258|)\r\n", 5..<12, 258, true, "229 (|||258|)\r\n"),
      ("229 (|1|10.2.0.11|65535|)\r\n", 5..<24, 65535, true, "229 (|||65535|)\r\n"),
      ("1", 0..<1, 0, false, "10,1,0,100,0,0"),
      ("", 0..<0, 7, true, "|||7|"),
    ]
    for family in Self.families {
      for row in rows {
        let held = Held(Self.sample(family, row.text))
        let segment = try #require(ControlSegment(held.packet))
        let delta = segment.replace(
          .init(address: nil, port: row.port, range: row.range), isExtended: row.isExtended, near: near, room: 100)
        #expect(delta == row.wanted.utf8.count - row.text.utf8.count, "\(row.text)")
        #expect(held.frame == Self.sample(family, row.wanted).arriving, "\(row.text)")
      }
    }
  }

  /// Without room behind it a segment stays as it is.
  @Test(arguments: families) func aFrameHasAnEnd(family: IPAddress.Family) throws {
    let text = "227 (10,2,0,11,1,2)\r\n"
    let near = IPAddress("10.1.0.100")!.words.low
    for (room, fits) in [(0, false), (1, true)] {
      let held = Held(Self.sample(family, text))
      let delta = try #require(ControlSegment(held.packet)).replace(
        .init(address: nil, port: 258, range: 5..<18), isExtended: false, near: near, room: room)
      #expect((delta == 1) == fits)
      if !fits { #expect(held.frame == Self.sample(family, text).arriving) }
    }
  }

  /// A header that says it is longer than the segment, or shorter than a header.
  @Test(arguments: families) func lengthsAreChecked(family: IPAddress.Family) {
    let held = Held(Self.sample(family, "abcdefgh"))
    withExtendedLifetime(held) {
      let header = held.packet.pointee.transportHeader(held.packet.pointee.form)
      for (words, isThere) in [(0, false), (4, false), (5, true), (7, true), (8, false), (15, false)] {
        header.storeBytes(of: UInt8(words << 4), toByteOffset: TCP.dataOffset, as: UInt8.self)
        #expect((ControlSegment(held.packet) != nil) == isThere, "\(words)")
      }
    }
  }
}
