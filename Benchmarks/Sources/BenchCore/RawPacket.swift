/// A packet by its parts, which may contradict each other; built byte by byte, because it is about the odd ones.
struct RawPacket {
  var from: UInt64 = 0
  var to: UInt64 = 0
  var vlans: [UInt16] = []
  var family = Family.v4
  var source = Address(low: 0)
  var destination = Address(low: 0)
  /// 6, 17, or something else.
  var protocolNumber: UInt8 = 6
  var sourcePort: UInt16 = 0
  var destinationPort: UInt16 = 0
  var flags: UInt8 = 0
  var hopLimit: UInt8 = 64
  /// Don't fragment.
  var keepsWhole = true
  /// IPv4: words of options.
  var optionWords = 0
  /// IPv6: numbers of extension headers, in order.
  var extensions: [UInt8] = []
  /// Fragment offset in units of eight bytes, and whether more follow.
  var fragment: (offset: UInt16, more: Bool)?
  var payloadByteCount = 0
  /// Whatever it should be: lbd does not look, it only corrects.
  var transportChecksum: UInt16 = 0x1234
  /// Bytes behind the packet, beyond what fills a frame up to 60.
  var paddingByteCount = 0
  var hasBadHeaderChecksum = false

  /// The frame.
  func bytes() -> [UInt8] {
    var frame = RawPacket.big(to, 6) + RawPacket.big(from, 6)
    for vlan in vlans { frame += [0x81, 0x00] + RawPacket.big(UInt64(vlan), 2) }
    let transport = transportBytes()
    frame += family == .v4 ? [0x08, 0x00] + ipv4(transport) : [0x86, 0xdd] + ipv6(transport)
    let padding = max(60 - frame.count, 0) + paddingByteCount
    return frame + [UInt8](repeating: 0xaa, count: padding)
  }

  private func transportBytes() -> [UInt8] {
    let ports = RawPacket.big(UInt64(sourcePort), 2) + RawPacket.big(UInt64(destinationPort), 2)
    let checksum = RawPacket.big(UInt64(transportChecksum), 2)
    let payload = (0..<payloadByteCount).map { UInt8(truncatingIfNeeded: $0) }
    switch protocolNumber {
    case 6: return ports + [1, 2, 3, 4, 5, 6, 7, 8, 0x50, flags, 0xff, 0xff] + checksum + [0, 0] + payload
    case 17: return ports + RawPacket.big(UInt64(8 + payloadByteCount), 2) + checksum + payload
    default: return [8, 0] + checksum + ports + payload
    }
  }

  private func ipv4(_ transport: [UInt8]) -> [UInt8] {
    let headerByteCount = 20 + 4 * optionWords
    var field = UInt64(keepsWhole && fragment == nil ? 0x4000 : 0)
    if let fragment { field = UInt64(fragment.offset) | (fragment.more ? 0x2000 : 0) }
    var header = [UInt8(0x40 + headerByteCount / 4), 0x10]
    header += RawPacket.big(UInt64(headerByteCount + transport.count), 2) + [0x12, 0x34] + RawPacket.big(field, 2)
    header += [hopLimit, protocolNumber, 0, 0] + RawPacket.big(source.low, 4) + RawPacket.big(destination.low, 4)
    header += [UInt8](repeating: 1, count: 4 * optionWords)
    let sum = RawPacket.checksum(header) ^ (hasBadHeaderChecksum ? 0x0100 : 0)
    header.replaceSubrange(10..<12, with: RawPacket.big(UInt64(sum), 2))
    return header + transport
  }

  private func ipv6(_ transport: [UInt8]) -> [UInt8] {
    var headers: [UInt8] = []
    var chain = extensions
    if fragment != nil { chain.append(44) }
    for (position, number) in chain.enumerated() {
      let next = position + 1 < chain.count ? chain[position + 1] : protocolNumber
      if number == 44, let fragment {
        headers += [next, 0] + RawPacket.big(UInt64(fragment.offset << 3 | (fragment.more ? 1 : 0)), 2) + [0, 0, 0, 9]
      } else {
        headers += [next, 0, 1, 4, 0, 0, 0, 0]
      }
    }
    let payload = headers + transport
    let first = [0x60, 0x12, 0x34, 0x56] + RawPacket.big(UInt64(payload.count), 2)
    let source = RawPacket.big(self.source.high, 8) + RawPacket.big(self.source.low, 8)
    let destination = RawPacket.big(self.destination.high, 8) + RawPacket.big(self.destination.low, 8)
    return first + [chain.first ?? protocolNumber, hopLimit] + source + destination + payload
  }

  /// The lower bytes of a number in network order.
  static func big(_ number: UInt64, _ byteCount: Int) -> [UInt8] {
    (0..<byteCount).map { UInt8(truncatingIfNeeded: number >> UInt64(8 * (byteCount - 1 - $0))) }
  }

  /// The Internet checksum of an even number of bytes (RFC 1071).
  static func checksum(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt64 = 0
    for index in stride(from: 0, to: bytes.count - 1, by: 2) {
      sum += UInt64(bytes[index]) << 8 | UInt64(bytes[index + 1])
    }
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(sum)
  }
}
