import Wire

/// A TCP segment that is being changed: its header, its options, what is in front of and behind its payload.
///
/// All of the old header is taken out of the checksum when the edit begins and all of the new one is added when it ends,
/// so in between anything may be changed. The payload stays where it is; what is inserted into the header moves the
/// headers in front of it, into the frame's headroom.
struct SegmentEdit {
  /// The IP header.
  private(set) var network: UnsafeMutableRawPointer
  /// From there to the TCP header.
  let transportOffset: Int
  private(set) var headerByteCount: Int
  private(set) var payloadByteCount: Int
  private var change = ChecksumDelta()

  /// - Parameters:
  ///   - network: the IP header of a packet of `byteCount` bytes that holds a whole TCP header without options, at least.
  /// - Returns: nil when the header says it is longer than the packet, or too short.
  init?(network: UnsafeMutableRawPointer, transportOffset: Int, byteCount: Int) {
    self.network = network
    self.transportOffset = transportOffset
    headerByteCount = TCP.headerByteCount(network + transportOffset)
    payloadByteCount = byteCount - transportOffset - headerByteCount
    guard headerByteCount >= TCP.minimumHeaderByteCount, payloadByteCount >= 0 else { return nil }
    for offset in stride(from: 0, to: headerByteCount, by: 4) {
      change.replace(header.loadUnaligned(fromByteOffset: offset, as: UInt32.self), with: 0)
    }
    change.replace16(UInt16(truncatingIfNeeded: segmentByteCount).bigEndian, with: 0)
  }

  var header: UnsafeMutableRawPointer { network + transportOffset }
  /// TCP header and payload.
  var segmentByteCount: Int { headerByteCount + payloadByteCount }
  var flags: UInt8 { UnsafeRawPointer(header).loadByte(at: TCP.flagsOffset) }
  var options: TCPOptions { TCPOptions(UnsafeRawPointer(header), byteCount: headerByteCount) }

  var sequence: UInt32 {
    get { UnsafeRawPointer(header).loadBigEndian32(at: TCP.sequenceOffset) }
    nonmutating set { header.storeBigEndian32(newValue, at: TCP.sequenceOffset) }
  }

  var acknowledgement: UInt32 {
    get { UnsafeRawPointer(header).loadBigEndian32(at: TCP.acknowledgementOffset) }
    nonmutating set { header.storeBigEndian32(newValue, at: TCP.acknowledgementOffset) }
  }

  var window: UInt16 {
    get { UnsafeRawPointer(header).loadBigEndian16(at: TCP.windowOffset) }
    nonmutating set { header.storeBigEndian16(newValue, at: TCP.windowOffset) }
  }

  func insertFlags(_ more: UInt8) { header.storeByte(flags | more, at: TCP.flagsOffset) }

  /// Makes room for an option in front of the others: behind them, the list may have ended.
  /// - Parameter byteCount: a multiple of four.
  /// - Returns: where it goes; nil when the header has no room for it.
  mutating func insertOption(byteCount: Int) -> UnsafeMutableRawPointer? {
    guard headerByteCount + byteCount <= TCP.maximumHeaderByteCount else { return nil }
    let moved = network - byteCount
    moved.copyMemory(from: network, byteCount: transportOffset + TCP.minimumHeaderByteCount)
    network = moved
    headerByteCount += byteCount
    header.storeByte(
      UInt8(headerByteCount / 4) << 4 | UnsafeRawPointer(header).loadByte(at: TCP.dataOffset) & 0xf, at: TCP.dataOffset)
    return header + TCP.minimumHeaderByteCount
  }

  /// Overwrites an option with padding.
  func blank(_ option: TCPOption) {
    for place in 0..<option.byteCount { header.storeByte(TCP.optionNoOperation, at: option.offset + place) }
  }

  /// A payload for a segment that has none; behind the header there must be room for it.
  mutating func fill(byteCount: Int) {
    payloadByteCount = byteCount
    addPayload()
  }

  /// Takes the payload away.
  mutating func empty() {
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(start: header + headerByteCount, count: payloadByteCount))
    change.replace16(sum.folded, with: 0)
    payloadByteCount = 0
  }

  private mutating func addPayload() {
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(start: header + headerByteCount, count: payloadByteCount))
    change.replace16(0, with: sum.folded)
  }

  /// Adds the new header to the checksum and writes it.
  /// - Parameter addresses: what has changed in them.
  func finish(_ addresses: ChecksumDelta) {
    var change = change
    for offset in stride(from: 0, to: headerByteCount, by: 4) {
      change.replace(0, with: header.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    change.replace16(0, with: UInt16(truncatingIfNeeded: segmentByteCount).bigEndian)
    change.replace16(0, with: addresses.folded)
    let old = header.loadUnaligned(fromByteOffset: TCP.checksumOffset, as: UInt16.self)
    header.storeBytes(of: change.apply(to: old), toByteOffset: TCP.checksumOffset, as: UInt16.self)
  }
}
