import Wire

/// A TCP segment without data, in an Ethernet frame of at least 60 bytes, with right checksums.
struct Segment {
  /// As in byte 13 of the TCP header.
  enum Flags {
    /// Opens.
    static let syn: UInt8 = 0x02
    /// The other side agrees.
    static let synAck: UInt8 = 0x12
    /// Goes on.
    static let ack: UInt8 = 0x10
    /// Closes.
    static let finAck: UInt8 = 0x11
    /// Breaks off.
    static let rst: UInt8 = 0x04
  }

  /// Who sends it.
  var source: Address
  /// Host byte order.
  var sourcePort: UInt16
  /// Whom it is for.
  var destination: Address
  /// Host byte order.
  var destinationPort: UInt16
  /// `Flags`.
  var flags: UInt8
  /// MAC addresses, in the low 48 bits.
  var from: UInt64
  /// See `from`.
  var to: UInt64
}

/// Writes segments into a buffer of its own.
final class FrameWriter {
  /// The addresses' family.
  let family: Family
  /// Bytes of every frame.
  let byteCount: Int
  private let memory: UnsafeMutableRawPointer

  /// A writer for one family.
  init(_ family: Family) {
    self.family = family
    byteCount = max(60, 14 + family.headerByteCount + 20)
    memory = .allocate(byteCount: 128, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: 128)
  }

  deinit { memory.deallocate() }

  /// The frame written last.
  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: memory, count: byteCount) }

  /// Writes a segment over the one before.
  func write(_ segment: Segment) {
    store(segment.to << 16 | segment.from >> 32, at: 0)
    store(UInt32(truncatingIfNeeded: segment.from), at: 8)
    let addresses = family == .v4 ? writeIPv4(segment) : writeIPv6(segment)
    writeTCP(segment, addresses: addresses)
  }

  private func store<Number: FixedWidthInteger>(_ number: Number, at offset: Int) {
    memory.storeBytes(of: number.bigEndian, toByteOffset: offset, as: Number.self)
  }

  private func writeIPv4(_ segment: Segment) -> UInt64 {
    let source = UInt32(truncatingIfNeeded: segment.source.low)
    let destination = UInt32(truncatingIfNeeded: segment.destination.low)
    let addresses = FrameWriter.sum(source) &+ FrameWriter.sum(destination)
    store(UInt32(0x0800_4500), at: 12)
    store(UInt64(40) << 48 | 0x4000 << 16 | 0x4006, at: 16)
    store(~FrameWriter.fold(0x4500 + 40 + 0x4000 + 0x4006 + addresses), at: 24)
    store(source, at: 26)
    store(destination, at: 30)
    return addresses
  }

  private func writeIPv6(_ segment: Segment) -> UInt64 {
    store(UInt64(0x86dd_6000) << 32 | 20, at: 12)
    store(UInt16(0x0640), at: 20)
    store(segment.source.high, at: 22)
    store(segment.source.low, at: 30)
    store(segment.destination.high, at: 38)
    store(segment.destination.low, at: 46)
    return FrameWriter.sum(segment.source) &+ FrameWriter.sum(segment.destination)
  }

  private func writeTCP(_ segment: Segment, addresses: UInt64) {
    let start = 14 + family.headerByteCount
    store(segment.sourcePort, at: start)
    store(segment.destinationPort, at: start + 2)
    // Sequence numbers that say where the segment came from would be of no use to anybody: they are fixed.
    store(UInt64(0x0102_0304_0506_0708), at: start + 4)
    let offsetAndFlags = UInt16(0x5000) | UInt16(segment.flags)
    store(UInt32(offsetAndFlags) << 16 | 0xffff, at: start + 12)
    var sum = addresses &+ 6 &+ 20
    sum &+= UInt64(segment.sourcePort) &+ UInt64(segment.destinationPort)
    sum &+= 0x0102 + 0x0304 + 0x0506 + 0x0708 + UInt64(offsetAndFlags) + 0xffff
    store(UInt32(~FrameWriter.fold(sum)) << 16, at: start + 16)
  }

  private static func sum(_ word: UInt32) -> UInt64 { UInt64(word >> 16) + UInt64(word & 0xffff) }

  private static func sum(_ address: Address) -> UInt64 {
    sum(UInt32(truncatingIfNeeded: address.high >> 32)) + sum(UInt32(truncatingIfNeeded: address.high))
      + sum(UInt32(truncatingIfNeeded: address.low >> 32)) + sum(UInt32(truncatingIfNeeded: address.low))
  }

  private static func fold(_ sum: UInt64) -> UInt16 {
    var sum = sum
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    return UInt16(truncatingIfNeeded: sum)
  }
}
