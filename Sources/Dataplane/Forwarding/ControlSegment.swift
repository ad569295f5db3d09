import Wire

/// A TCP segment of a control connection, with its header as it may be changed. All of it lies within the packet.
struct ControlSegment {
  let packet: UnsafeMutablePointer<Packet>
  private let header: UnsafeMutableRawPointer
  private let headerByteCount: Int

  /// - Returns: nil for a header that is cut short.
  init?(_ packet: UnsafeMutablePointer<Packet>) {
    self.packet = packet
    header = packet.pointee.transportHeader(packet.pointee.form)
    let byteCount = packet.pointee.network + Int(packet.pointee.byteCount) - header
    guard byteCount >= TCP.minimumHeaderByteCount else { return nil }
    headerByteCount = Int(header.load(fromByteOffset: TCP.dataOffset, as: UInt8.self) >> 4) * 4
    guard headerByteCount >= TCP.minimumHeaderByteCount, headerByteCount <= byteCount else { return nil }
  }

  var sequence: UInt32 { UnsafeRawPointer(header).loadBigEndian32(at: TCP.sequenceOffset) }

  private var byteCount: Int { packet.pointee.network + Int(packet.pointee.byteCount) - header }

  var data: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: header + headerByteCount, count: byteCount - headerByteCount)
  }

  /// Adds to a number of 32 bits in the header, and corrects the checksum.
  func add(_ amount: Int32, at offset: Int) {
    guard amount != 0 else { return }
    let old = UnsafeRawPointer(header).loadBigEndian32(at: offset)
    let new = old &+ UInt32(bitPattern: amount)
    header.storeBigEndian32(new, at: offset)
    var change = ChecksumDelta()
    // A number that begins at an odd place (SACK behind one NOP) has its bytes the other way round in the sum.
    let isOdd = offset & 1 != 0
    change.replace(
      isOdd ? old.byteSwappedPairs.bigEndian : old.bigEndian,
      with: isOdd ? new.byteSwappedPairs.bigEndian : new.bigEndian)
    let checksum = header.loadUnaligned(fromByteOffset: TCP.checksumOffset, as: UInt16.self)
    header.storeBytes(of: change.apply(to: checksum), toByteOffset: TCP.checksumOffset, as: UInt16.self)
  }

  /// The client's acknowledgement, and what it says of segments that came out of order (RFC 2018), in the server's numbers.
  func unshift(_ shift: SequenceShift) {
    guard packet.pointee.segment & TCP.ack != 0 else { return }
    let acknowledged = UnsafeRawPointer(header).loadBigEndian32(at: TCP.acknowledgementOffset)
    add(0 &- shift.offset(ofShifted: acknowledged), at: TCP.acknowledgementOffset)
    var position = TCP.minimumHeaderByteCount
    while position + 1 < headerByteCount {
      let kind = header.load(fromByteOffset: position, as: UInt8.self)
      if kind == TCP.optionEnd { return }
      if kind == TCP.optionNoOperation {
        position += 1
        continue
      }
      let length = Int(header.load(fromByteOffset: position + 1, as: UInt8.self))
      guard length >= 2, position + length <= headerByteCount else { return }
      if kind == ControlSegment.selectiveAcknowledgement {
        for edge in stride(from: position + 2, through: position + length - 4, by: 4) {
          add(0 &- shift.offset(ofShifted: UnsafeRawPointer(header).loadBigEndian32(at: edge)), at: edge)
        }
      }
      position += length
    }
  }

  private static var selectiveAcknowledgement: UInt8 { 5 }

  /// Writes the VIP's end where the server's stood.
  /// - Returns: by how many bytes the packet is longer now; nil when it would not fit.
  func replace(_ announcement: FTP.Announcement, isExtended: Bool, near: UInt64, room: Int) -> Int? {
    withUnsafeTemporaryAllocation(byteCount: 32, alignment: 1) { text in
      var text = TextBuffer(text)
      if isExtended {
        text.append(ascii: "|||")
        text.append(number: announcement.port)
        text.append(ascii: "|")
      } else {
        for shift in stride(from: UInt64(24), through: 0, by: -8) {
          text.append(number: UInt16(near >> shift & 0xff))
          text.append(ascii: ",")
        }
        text.append(number: announcement.port >> 8)
        text.append(ascii: ",")
        text.append(number: announcement.port & 0xff)
      }
      return replace(announcement.range, with: text.bytes, room: room)
    }
  }

  private func replace(_ range: Range<Int>, with text: UnsafeRawBufferPointer, room: Int) -> Int? {
    let delta = text.count - range.count
    let limit = packet.pointee.isIPv6 ? 65_575 : 65_535
    guard delta <= room, Int(packet.pointee.byteCount) + delta <= min(limit, 65_535), let from = text.baseAddress else {
      return nil
    }
    let start = header + headerByteCount
    let rest = byteCount - headerByteCount - range.upperBound
    (start + range.lowerBound + text.count).copyMemory(from: start + range.upperBound, byteCount: rest)
    (start + range.lowerBound).copyMemory(from: from, byteCount: text.count)
    setByteCount(Int(packet.pointee.byteCount) + delta)
    complete()
    return delta
  }

  private func setByteCount(_ count: Int) {
    let network = packet.pointee.network
    packet.pointee.byteCount = UInt16(truncatingIfNeeded: count)
    if packet.pointee.isIPv6 {
      network.storeBytes(of: UInt16(truncatingIfNeeded: count - 40).bigEndian, toByteOffset: 4, as: UInt16.self)
      return
    }
    let old = network.loadUnaligned(fromByteOffset: 2, as: UInt16.self)
    let new = UInt16(truncatingIfNeeded: count).bigEndian
    network.storeBytes(of: new, toByteOffset: 2, as: UInt16.self)
    var change = ChecksumDelta()
    change.replace16(old, with: new)
    let checksum = network.loadUnaligned(fromByteOffset: IPv4.checksumOffset, as: UInt16.self)
    network.storeBytes(of: change.apply(to: checksum), toByteOffset: IPv4.checksumOffset, as: UInt16.self)
  }

  /// The checksum over what the segment is now (RFC 9293 section 3.1).
  private func complete() {
    header.storeBytes(of: 0, toByteOffset: TCP.checksumOffset, as: UInt16.self)
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(start: header, count: byteCount))
    let network = packet.pointee.network
    let number = packet.pointee.protocolNumber
    if packet.pointee.isIPv6 {
      sum.addPseudoHeader6(addresses: network + IPv6.sourceOffset, protocolNumber: number, byteCount: byteCount)
    } else {
      sum.addPseudoHeader4(addresses: network + IPv4.sourceOffset, protocolNumber: number, byteCount: byteCount)
    }
    header.storeBytes(of: sum.value, toByteOffset: TCP.checksumOffset, as: UInt16.self)
  }
}

extension UInt32 {
  /// Each half's bytes the other way round.
  fileprivate var byteSwappedPairs: UInt32 { (self & 0x00ff_00ff) << 8 | (self & 0xff00_ff00) >> 8 }
}

/// A text of a few bytes that is being written.
private struct TextBuffer {
  private let buffer: UnsafeMutableRawBufferPointer
  private var count = 0

  init(_ buffer: UnsafeMutableRawBufferPointer) { self.buffer = buffer }

  var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: buffer[0..<count]) }

  mutating func append(ascii text: StaticString) {
    for offset in 0..<text.utf8CodeUnitCount where count < buffer.count {
      buffer[count] = text.utf8Start[offset]
      count += 1
    }
  }

  mutating func append(number: UInt16) {
    var divisor: UInt16 = 10_000
    while divisor > 1, number < divisor { divisor /= 10 }
    while divisor > 0, count < buffer.count {
      buffer[count] = UInt8(ascii: "0") + UInt8(number / divisor % 10)
      count += 1
      divisor /= 10
    }
  }
}
