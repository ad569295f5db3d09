import Wire

/// Bytes -> record. The only place where lengths that a stranger wrote are checked; behind it, pointers are trusted.
///
/// What parse guarantees for a packet it leaves `pending`: the network header lies whole in the frame, the transport
/// header too (20 bytes for TCP, 8 for UDP) unless the packet is a fragment or `cutShort` (then its ports do), the IPv4
/// header checksum is right,
/// and `byteCount` is the IP length (RFC 894 padding must not travel into a tunnel).
/// Ethernet with up to two VLAN tags (802.1Q, 802.1ad), IPv4 with options (RFC 791), IPv6 with extension headers
/// (RFC 8200 section 4).
enum Parse {
  /// Nearly every packet is untagged, whole, TCP or UDP, and IPv4 without options: then its offsets are constants, and
  /// this is a straight line.
  /// - Parameter ownAddress: the port's own MAC address, in the upper 48 bits, as it stands in memory.
  /// - Returns: nil for all others, and for whatever is wrong: `packet` finds out what.
  @inline(__always)
  static func plainIPv4(
    _ packet: UnsafeMutablePointer<Packet>, _ bytes: UnsafeMutableRawPointer, byteCount: Int, ownAddress: UInt64
  ) -> PacketEnds? {
    let header = UnsafeRawPointer(bytes)
    guard _fastPath(byteCount >= 34), _fastPath(header.loadUnaligned(as: UInt64.self) << 16 == ownAddress),
      header.loadUnaligned(fromByteOffset: 12, as: UInt32.self) & 0xff_ffff == plainIPv4
    else { return nil }
    let total = Int(header.loadBigEndian16(at: 14 + IPv4.totalLengthOffset))
    let fragment = header.loadUnaligned(fromByteOffset: 14 + IPv4.fragmentOffset, as: UInt16.self)
    let protocolNumber = header.loadByte(at: 14 + IPv4.protocolOffset)
    guard _fastPath(fragment & UInt16(0x3fff).bigEndian == 0), _fastPath(14 + total <= byteCount),
      _fastPath(isChecksumRight(header + 14, byteCount: 20)),
      let segment = segment(header + 34, protocolNumber, byteCount: total - 20)
    else { return nil }
    packet.pointee.network = bytes + 14
    packet.pointee.byteCount = UInt16(truncatingIfNeeded: total)
    packet.pointee.protocolNumber = protocolNumber
    packet.pointee.flags = []
    packet.pointee.segment = segment
    let addresses = header.loadBigEndian64(at: 14 + IPv4.sourceOffset)
    let ports = UInt64(header.loadBigEndian32(at: 34))
    return PacketEnds(
      source: addresses & 0xffff_ffff_0000_0000 | ports & 0xffff_0000,
      destination: addresses << 32 | (ports & 0xffff) << 16)
  }

  /// The same for IPv6 without extension headers.
  @inline(__always)
  static func plainIPv6(
    _ packet: UnsafeMutablePointer<Packet>, _ bytes: UnsafeMutableRawPointer, byteCount: Int, ownAddress: UInt64
  ) -> PacketEnds? {
    let header = UnsafeRawPointer(bytes)
    guard _fastPath(byteCount >= 54), _fastPath(header.loadUnaligned(as: UInt64.self) << 16 == ownAddress),
      header.loadUnaligned(fromByteOffset: 12, as: UInt32.self) & 0xf0_ffff == plainIPv6
    else { return nil }
    let payload = Int(header.loadBigEndian16(at: 14 + IPv6.payloadLengthOffset))
    let protocolNumber = header.loadByte(at: 14 + IPv6.nextHeaderOffset)
    guard _fastPath(54 + payload <= byteCount),
      let segment = segment(header + 54, protocolNumber, byteCount: payload)
    else { return nil }
    packet.pointee.network = bytes + 14
    packet.pointee.byteCount = UInt16(truncatingIfNeeded: 40 + payload)
    packet.pointee.protocolNumber = protocolNumber
    packet.pointee.flags = .ipv6
    packet.pointee.segment = segment
    let ports = UInt64(header.loadBigEndian32(at: 54))
    return PacketEnds(source: ports & 0xffff_0000, destination: (ports & 0xffff) << 16)
  }

  /// Parses a frame, whatever it is.
  /// - Parameters:
  ///   - ownAddress: the port's own MAC address.
  ///   - ends: what `Classify` looks it up by.
  /// - Returns: `pending`, or what has become of it.
  static func packet(
    _ packet: UnsafeMutablePointer<Packet>, _ bytes: UnsafeMutableRawPointer, byteCount: Int, ownAddress: UInt64,
    ends: inout PacketEnds
  ) -> Outcome {
    guard byteCount >= 34 else { return refuse(packet, .malformed) }
    guard UnsafeRawPointer(bytes).loadBigEndian64(at: 0) >> 16 == ownAddress else { return refuse(packet, .otherHost) }
    let header = UnsafeRawPointer(bytes)
    var offset = 14
    var type = header.loadBigEndian16(at: 12)
    if type == EtherType.vlan || type == EtherType.serviceVLAN {
      // A frame has 34 bytes at least, which leaves room for two tags and their types: 14 + 4 + 4.
      type = header.loadBigEndian16(at: 16)
      offset = 18
      if type == EtherType.vlan || type == EtherType.serviceVLAN {
        type = header.loadBigEndian16(at: 20)
        offset = 22
      }
    }
    packet.pointee.network = bytes + offset
    switch type {
    case EtherType.ipv4: return ipv4(packet, bytes, offset: offset, byteCount: byteCount, ends: &ends)
    case EtherType.ipv6: return ipv6(packet, bytes, offset: offset, byteCount: byteCount, ends: &ends)
    default: return refuse(packet, .notOurs)
    }
  }

  /// `Packet.segment`, or nil for what is neither TCP nor UDP, or is cut short.
  @inline(__always)
  private static func segment(_ header: UnsafeRawPointer, _ protocolNumber: UInt8, byteCount: Int) -> UInt8? {
    if _fastPath(protocolNumber == TransportProtocol.tcp.rawValue) {
      return _fastPath(byteCount >= 20) ? header.loadByte(at: 13) & 0x1f : nil
    }
    return protocolNumber == TransportProtocol.udp.rawValue && byteCount >= 8 ? Packet.noSegment : nil
  }

  /// Type, version and header length of IPv4 without options, as they stand in memory.
  @inline(__always)
  private static var plainIPv4: UInt32 { (UInt32(EtherType.ipv4) << 16 | 0x45 << 8).bigEndian }

  /// Type and version of IPv6.
  @inline(__always)
  private static var plainIPv6: UInt32 { (UInt32(EtherType.ipv6) << 16 | 0x60 << 8).bigEndian }

  /// A frame of which no packet is known.
  private static func refuse(_ packet: UnsafeMutablePointer<Packet>, _ outcome: Outcome) -> Outcome {
    packet.pointee.byteCount = 0
    return outcome
  }

  private static func ipv4(
    _ packet: UnsafeMutablePointer<Packet>, _ bytes: UnsafeMutableRawPointer, offset: Int, byteCount: Int,
    ends: inout PacketEnds
  ) -> Outcome {
    let first = UnsafeRawPointer(bytes).loadByte(at: offset)
    let headerByteCount = Int(first & 0xf) * 4
    guard byteCount >= offset + headerByteCount, first >> 4 == 4, headerByteCount >= 20 else {
      return refuse(packet, .malformed)
    }
    let header = UnsafeRawPointer(bytes + offset)
    let total = Int(header.loadBigEndian16(at: IPv4.totalLengthOffset))
    guard total >= headerByteCount, offset + total <= byteCount else { return refuse(packet, .malformed) }
    guard isChecksumRight(header, byteCount: headerByteCount) else { return refuse(packet, .badHeaderChecksum) }
    packet.pointee.network = bytes + offset
    packet.pointee.byteCount = UInt16(truncatingIfNeeded: total)
    let fragment = header.loadBigEndian16(at: IPv4.fragmentOffset)
    var flags: PacketFlags = []
    if fragment & 0x3fff != 0 { flags.insert(fragment & 0x1fff != 0 ? [.fragment, .laterFragment] : .fragment) }
    let addresses = header.loadBigEndian64(at: IPv4.sourceOffset)
    return transport(
      packet, bytes + (offset + headerByteCount), byteCount: total - headerByteCount,
      protocolNumber: header.loadByte(at: IPv4.protocolOffset), flags: flags,
      source: addresses & 0xffff_ffff_0000_0000, destination: addresses << 32, ends: &ends)
  }

  private static func ipv6(
    _ packet: UnsafeMutablePointer<Packet>, _ bytes: UnsafeMutableRawPointer, offset: Int, byteCount: Int,
    ends: inout PacketEnds
  ) -> Outcome {
    guard byteCount >= offset + 40 else { return refuse(packet, .malformed) }
    let header = UnsafeRawPointer(bytes + offset)
    let total = 40 + Int(header.loadBigEndian16(at: IPv6.payloadLengthOffset))
    guard header.loadByte(at: 0) >> 4 == 6, offset + total <= byteCount else { return refuse(packet, .malformed) }
    packet.pointee.network = bytes + offset
    packet.pointee.byteCount = UInt16(truncatingIfNeeded: total)
    let next = header.loadByte(at: IPv6.nextHeaderOffset)
    if isExtension(next) { return extended(packet, bytes + offset, byteCount: total, ends: &ends) }
    return transport(
      packet, bytes + (offset + 40), byteCount: total - 40, protocolNumber: next, flags: .ipv6,
      source: 0, destination: 0, ends: &ends)
  }

  /// IPv6 with extension headers.
  private static func extended(
    _ packet: UnsafeMutablePointer<Packet>, _ header: UnsafeMutableRawPointer, byteCount: Int,
    ends: inout PacketEnds
  ) -> Outcome {
    var next = UnsafeRawPointer(header).loadByte(at: IPv6.nextHeaderOffset)
    var position = 40
    var flags: PacketFlags = .ipv6
    guard walkExtensions(UnsafeRawPointer(header), &next, &position, &flags, end: byteCount) else {
      return .malformed
    }
    return transport(
      packet, header + position, byteCount: byteCount - position, protocolNumber: next, flags: flags, source: 0,
      destination: 0, ends: &ends)
  }

  /// Hop-by-hop options, routing, fragment, destination options.
  @inline(__always)
  private static func isExtension(_ next: UInt8) -> Bool { next == 0 || next == 43 || next == 44 || next == 60 }

  /// Steps over extension headers to the transport header.
  /// - Returns: false when the chain is cut short or too long.
  private static func walkExtensions(
    _ bytes: UnsafeRawPointer, _ next: inout UInt8, _ position: inout Int, _ flags: inout PacketFlags, end: Int
  ) -> Bool {
    for _ in 0..<Limits.extensionHeaders {
      guard isExtension(next) else { return true }
      guard position + 8 <= end else { return false }
      let header = bytes + position
      if next == 44 {
        // What follows is known when the datagram is whole. One that has a fragment header and is whole all the same
        // (RFC 6946) loses it.
        flags.insert(header.loadBigEndian16(at: 2) & 0xfff8 != 0 ? [.fragment, .laterFragment] : .fragment)
        next = header.load(as: UInt8.self)
        position += 8
        return true
      }
      next = header.load(as: UInt8.self)
      position += (Int(header.load(fromByteOffset: 1, as: UInt8.self)) + 1) * 8
      guard position <= end else { return false }
    }
    return !isExtension(next)
  }

  /// - Parameters:
  ///   - header: where the transport header begins, with `byteCount` bytes to the end of the packet.
  ///   - source: the sender's address as `PacketEnds` has it; the port comes in here.
  ///   - destination: the receiver's.
  private static func transport(
    _ packet: UnsafeMutablePointer<Packet>, _ header: UnsafeMutableRawPointer, byteCount: Int, protocolNumber: UInt8,
    flags: PacketFlags, source: UInt64, destination: UInt64, ends: inout PacketEnds
  ) -> Outcome {
    packet.pointee.transportOffset = UInt16(truncatingIfNeeded: header - packet.pointee.network)
    packet.pointee.flags = flags
    packet.pointee.protocolNumber = protocolNumber
    var segment = Packet.noSegment
    // A fragment has no transport header to speak of before its datagram is whole.
    if flags.contains(.fragment) {
      return isReassembled(protocolNumber, isIPv6: flags.contains(.ipv6)) ? .pending : .notOurs
    }
    guard let kind = TransportProtocol(rawValue: protocolNumber) else {
      if SecurityPayload.isOne(protocolNumber, isIPv6: flags.contains(.ipv6)) {
        SecurityPayload.mark(packet)
        ends = PacketEnds(
          source: source | SecurityPayload.portBits, destination: destination | SecurityPayload.portBits)
        return .pending
      }
      return icmp(packet, UnsafeRawPointer(header), byteCount: byteCount, protocolNumber: protocolNumber)
    }
    guard byteCount >= 4 else { return .malformed }
    if byteCount < leastByteCount(kind) {
      packet.pointee.flags.insert(.cutShort)
    } else if kind == .tcp {
      segment = UnsafeRawPointer(header).loadByte(at: 13) & 0x1f
    } else if kind == .sctp {
      segment = Packet.firstSCTPSegment + chunkEvent(UnsafeRawPointer(header), byteCount: byteCount)
    }
    packet.pointee.segment = segment
    let ports = UInt64(UnsafeRawPointer(header).loadBigEndian32(at: 0))
    ends = PacketEnds(source: source | ports & 0xffff_0000, destination: destination | (ports & 0xffff) << 16)
    return .pending
  }

  /// Bytes of the transport header; of SCTP with that of its first chunk.
  private static func leastByteCount(_ kind: TransportProtocol) -> Int {
    switch kind {
    case .tcp: 20
    case .udp: 8
    case .sctp: SCTP.headerByteCount + SCTP.chunkHeaderByteCount
    }
  }

  /// An ICMP error that may be about a connection goes on; anything else is not ours. What it quotes is looked at when it is
  /// its turn (`QuotedPacket`).
  private static func icmp(
    _ packet: UnsafeMutablePointer<Packet>, _ header: UnsafeRawPointer, byteCount: Int, protocolNumber: UInt8
  ) -> Outcome {
    let isIPv6 = packet.pointee.isIPv6
    guard protocolNumber == IPProtocol.icmpv4 || protocolNumber == IPProtocol.icmpv6 else { return .notOurs }
    guard protocolNumber == (isIPv6 ? IPProtocol.icmpv6 : IPProtocol.icmpv4), byteCount >= ICMPv4.headerByteCount,
      WorkerState.isRelayed(type: header.loadByte(at: ICMPv4.typeOffset), isIPv6: isIPv6)
    else { return .icmp }
    packet.pointee.flags.formUnion([.icmpError, .wide])
    packet.pointee.segment = Packet.noSegment
    packet.pointee.head = 0
    return .pending
  }

  /// Whether fragments of this protocol are put together here: those of the protocols that we balance, AH's and ESP's, and ICMP's. In IPv6
  /// more headers may follow.
  private static func isReassembled(_ number: UInt8, isIPv6: Bool) -> Bool {
    if TransportProtocol(rawValue: number) != nil || SecurityPayload.isOne(number, isIPv6: isIPv6) { return true }
    return isIPv6 ? number == IPProtocol.icmpv6 || isExtension(number) : number == IPProtocol.icmpv4
  }

  /// Which line of SCTP's state table a packet is: its first chunk's. A cookie with an ABORT behind it is an ABORT.
  private static func chunkEvent(_ header: UnsafeRawPointer, byteCount: Int) -> UInt8 {
    let first = header.loadByte(at: SCTP.headerByteCount)
    if first == SCTP.cookieEcho || first == SCTP.cookieAcknowledgement {
      let length = Int(header.loadBigEndian16(at: SCTP.headerByteCount + SCTP.chunkLengthOffset))
      let next = SCTP.headerByteCount + (length + 3) & ~3
      if length >= SCTP.chunkHeaderByteCount, next + SCTP.chunkHeaderByteCount <= byteCount,
        header.loadByte(at: next) == SCTP.abort
      {
        return 9
      }
    }
    switch first {
    case SCTP.initiation: return 1
    case SCTP.initiationAcknowledgement: return 2
    case SCTP.cookieEcho: return 3
    case SCTP.cookieAcknowledgement: return 4
    case SCTP.shutdown: return 5
    case SCTP.shutdownAcknowledgement: return 6
    case SCTP.shutdownComplete: return 7
    case SCTP.error: return 8
    case SCTP.abort: return 9
    default: return 0
    }
  }

  /// True when the one's complement sum over an IPv4 header is 0xffff (RFC 1071), which is to say: when it is a multiple
  /// of 65535 (and not 0, which a header that begins with its version cannot be).
  @inline(__always)
  private static func isChecksumRight(_ header: UnsafeRawPointer, byteCount: Int) -> Bool {
    let first = header.loadUnaligned(as: UInt64.self)
    let second = header.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    var sum = Checksum()
    sum.add(first)
    sum.add(second)
    sum.add(UInt64(header.loadUnaligned(fromByteOffset: 16, as: UInt32.self)))
    var offset = 20
    while offset < byteCount {
      sum.add(UInt64(header.loadUnaligned(fromByteOffset: offset, as: UInt32.self)))
      offset &+= 4
    }
    return sum.isWhole
  }
}
