// Frames put together layer by layer, for tests and for probes: lengths and checksums are filled in.
//
//     FrameBuilder(from: router, to: director).vlan(100)
//       .ip(from: client, to: virtual).tcp(from: 40000, to: 80, flags: TCP.syn).payload(bytes).frame
//
// Layers are written outermost first and may nest (IP in IP). The builder writes what it is told and judges nothing; for
// malformed frames, build a good one and break it.

/// A frame under construction; every function returns a longer one.
public struct FrameBuilder: Sendable {
  private enum Layer: Sendable {
    case ipv4([UInt8], protocolNumber: UInt8?)
    case ipv6([UInt8], extensions: [(number: UInt8, body: [UInt8])], protocolNumber: UInt8?)
    case transport([UInt8], number: UInt8, checksumOffset: Int?, lengthOffset: Int?)
  }

  private let addresses: [UInt8]
  private var tags: [UInt8] = []
  private var layers: [Layer] = []
  private var payload: [UInt8] = []

  /// A frame between two stations.
  public init(
    from source: EthernetAddress = EthernetAddress(0x02_0000_0000_01),
    to destination: EthernetAddress = EthernetAddress(0x02_0000_0000_02)
  ) {
    addresses = destination.bytes + source.bytes
  }

  /// Adds a VLAN tag inside those already there.
  public func vlan(_ identifier: UInt16, priority: UInt16 = 0, type: UInt16 = EtherType.vlan) -> FrameBuilder {
    changed { $0.tags += big(type) + big(priority << VLAN.priorityShift | identifier) }
  }

  /// Adds an IPv4 header. `fragment` is the whole fragment word; `options` are padded with zeros to units of four.
  public func ipv4(
    from source: IPAddress, to destination: IPAddress, timeToLive: UInt8 = 64, identification: UInt16 = 1,
    fragment: UInt16 = 0, service: UInt8 = 0, options: [UInt8] = [], protocolNumber: UInt8? = nil
  ) -> FrameBuilder {
    let padded = options + [UInt8](repeating: 0, count: -options.count & 3)
    let first = UInt8(0x40 + 5 + padded.count / 4)
    let head = [first, service, 0, 0] + big(identification) + big(fragment) + [timeToLive, 0, 0, 0]
    let addresses = source.mappedBytes.suffix(4) + destination.mappedBytes.suffix(4)
    return changed { $0.layers.append(.ipv4(head + addresses + padded, protocolNumber: protocolNumber)) }
  }

  /// Adds an IPv6 header with extension headers. A body is what follows the next-header byte, length byte included.
  public func ipv6(
    from source: IPAddress, to destination: IPAddress, hopLimit: UInt8 = 64, trafficClass: UInt8 = 0,
    flowLabel: UInt32 = 0, extensions: [(number: UInt8, body: [UInt8])] = [], protocolNumber: UInt8? = nil
  ) -> FrameBuilder {
    let word = 6 << 28 | UInt32(trafficClass) << 20 | flowLabel & 0xf_ffff
    let head = big(word) + [0, 0, 0, hopLimit] + source.mappedBytes + destination.mappedBytes
    return changed {
      $0.layers.append(.ipv6(head, extensions: extensions, protocolNumber: protocolNumber))
    }
  }

  /// Adds an IP header of the addresses' family.
  public func ip(from source: IPAddress, to destination: IPAddress, timeToLive: UInt8 = 64) -> FrameBuilder {
    source.family == .ipv4
      ? ipv4(from: source, to: destination, timeToLive: timeToLive)
      : ipv6(from: source, to: destination, hopLimit: timeToLive)
  }

  /// Adds a TCP header; `options` are padded with zeros to units of four.
  public func tcp(
    from source: UInt16, to destination: UInt16, flags: UInt8, sequence: UInt32 = 1000, acknowledgement: UInt32 = 0,
    window: UInt16 = 8192, options: [UInt8] = []
  ) -> FrameBuilder {
    let padded = options + [UInt8](repeating: 0, count: -options.count & 3)
    let head = big(source) + big(destination) + big(sequence) + big(acknowledgement)
    let rest = [UInt8(5 + padded.count / 4) << 4, flags] + big(window) + [0, 0, 0, 0] + padded
    return transport(head + rest, IPProtocol.tcp, checksum: TCP.checksumOffset)
  }

  /// Adds a UDP header, with or without a checksum.
  public func udp(from source: UInt16, to destination: UInt16, hasChecksum: Bool = true) -> FrameBuilder {
    let head = big(source) + big(destination) + [0, 0, 0, 0]
    let checksum = hasChecksum ? UDP.checksumOffset : nil
    return transport(head, IPProtocol.udp, checksum: checksum, length: UDP.lengthOffset)
  }

  /// Adds an ICMP or ICMPv6 header, by the IP header before it; `rest` is its second word.
  public func icmp(type: UInt8, code: UInt8 = 0, rest: UInt32 = 0) -> FrameBuilder {
    let isV6 = if case .ipv6 = layers.last { true } else { false }
    let number = isV6 ? IPProtocol.icmpv6 : IPProtocol.icmpv4
    return transport([type, code, 0, 0] + big(rest), number, checksum: ICMPv4.checksumOffset)
  }

  /// Appends to what follows the innermost header.
  public func payload(_ bytes: [UInt8]) -> FrameBuilder { changed { $0.payload += bytes } }

  /// The whole frame, not padded.
  public var frame: [UInt8] {
    let isV6 = if case .ipv6 = layers.first { true } else { false }
    return addresses + tags + big(isV6 ? EtherType.ipv6 : EtherType.ipv4) + packet
  }

  /// The frame without its Ethernet header and tags: what an ICMP error quotes.
  public var packet: [UInt8] {
    var bytes = payload
    var inner: UInt8 = IPProtocol.noNextHeader
    for index in layers.indices.reversed() {
      switch layers[index] {
      case .transport(let header, let number, let checksumOffset, let lengthOffset):
        bytes = header + bytes
        if let lengthOffset { put(UInt16(truncatingIfNeeded: bytes.count), into: &bytes, at: lengthOffset) }
        if let checksumOffset {
          let carrier = index > 0 ? layers[index - 1] : nil
          putChecksum(of: number, carriedBy: carrier, into: &bytes, at: checksumOffset)
        }
        inner = number
      case .ipv4(let header, let protocolNumber):
        bytes = FrameBuilder.ipv4(header, protocolNumber ?? inner, carrying: bytes)
        inner = IPProtocol.ipv4
      case .ipv6(let header, let extensions, let protocolNumber):
        bytes = FrameBuilder.ipv6(header, extensions, protocolNumber ?? inner, carrying: bytes)
        inner = IPProtocol.ipv6
      }
    }
    return bytes
  }

  private static func ipv4(_ header: [UInt8], _ number: UInt8, carrying bytes: [UInt8]) -> [UInt8] {
    var header = header
    header[IPv4.protocolOffset] = number
    put(UInt16(truncatingIfNeeded: header.count + bytes.count), into: &header, at: IPv4.totalLengthOffset)
    var sum = Checksum()
    header.withUnsafeBytes { sum.add($0) }
    put(UInt16(bigEndian: sum.value), into: &header, at: IPv4.checksumOffset)
    return header + bytes
  }

  private static func ipv6(
    _ header: [UInt8], _ extensions: [(number: UInt8, body: [UInt8])], _ number: UInt8, carrying bytes: [UInt8]
  ) -> [UInt8] {
    var next = number
    var bytes = bytes
    for item in extensions.reversed() {
      bytes = [next] + item.body + bytes
      next = item.number
    }
    var header = header
    header[IPv6.nextHeaderOffset] = next
    put(UInt16(truncatingIfNeeded: bytes.count), into: &header, at: IPv6.payloadLengthOffset)
    return header + bytes
  }

  private func putChecksum(of number: UInt8, carriedBy carrier: Layer?, into bytes: inout [UInt8], at offset: Int) {
    var sum = Checksum()
    switch carrier {
    case .ipv4(let header, _) where number != IPProtocol.icmpv4:
      header.withUnsafeBytes { header in
        guard let base = header.baseAddress else { return }
        sum.addPseudoHeader4(addresses: base + IPv4.sourceOffset, protocolNumber: number, byteCount: bytes.count)
      }
    case .ipv6(let header, _, _):
      header.withUnsafeBytes { header in
        guard let base = header.baseAddress else { return }
        sum.addPseudoHeader6(addresses: base + IPv6.sourceOffset, protocolNumber: number, byteCount: bytes.count)
      }
    default: break
    }
    bytes.withUnsafeBytes { sum.add($0) }
    let value = number == IPProtocol.udp ? sum.udpValue : sum.value
    put(UInt16(bigEndian: value), into: &bytes, at: offset)
  }

  private func transport(_ header: [UInt8], _ number: UInt8, checksum: Int?, length: Int? = nil) -> FrameBuilder {
    changed {
      $0.layers.append(.transport(header, number: number, checksumOffset: checksum, lengthOffset: length))
    }
  }

  private func changed(_ change: (inout FrameBuilder) -> Void) -> FrameBuilder {
    var copy = self
    change(&copy)
    return copy
  }
}

private func big(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xff)] }

private func big(_ number: UInt32) -> [UInt8] {
  [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> UInt32($0)) }
}

private func put(_ number: UInt16, into bytes: inout [UInt8], at offset: Int) {
  bytes.replaceSubrange(offset..<offset + 2, with: big(number))
}
