import Wire

/// What stands between the outer IP header and the packet of a tunnel.
public enum Encapsulation: Sendable, Equatable {
  /// Nothing (RFC 2003, RFC 2473, RFC 4213).
  case ipip
  /// GRE (RFC 2784), with or without its checksum.
  case gre(hasChecksum: Bool)
  /// UDP and the GUE header (draft-ietf-intarea-gue, version 0) to a port. Of the checksums it is UDP's.
  case gue(port: UInt16, hasChecksum: Bool)

  /// Bytes between the outer IP header and the packet.
  var byteCount: Int {
    switch self {
    case .ipip: 0
    case .gre(let hasChecksum): GRE.headerByteCount + (hasChecksum ? GRE.checksumByteCount : 0)
    case .gue: UDP.headerByteCount + GUE.headerByteCount
    }
  }

  /// The largest packet that fits with both headers in front, or 0 when IPVS would send none: a tunnel must carry what
  /// every link has to (RFC 791, RFC 8200 section 5).
  func room(mtu: Int, isIPv6: Bool) -> Int {
    let room = mtu - (isIPv6 ? IPv6.headerByteCount : IPv4.minimumHeaderByteCount) - byteCount
    return room < (isIPv6 ? 1280 : 68) ? 0 : room
  }

  /// The protocol that the outer header names.
  /// - Parameter inner: what the packet inside is: `IPProtocol.ipv4` or `.ipv6`.
  func protocolNumber(inner: UInt8) -> UInt8 {
    switch self {
    case .ipip: inner
    case .gre: IPProtocol.gre
    case .gue: IPProtocol.udp
    }
  }

  /// Writes the header in front of the packet at `inner`, checksum 0.
  /// - Parameter flow: the same for all packets of a connection, for GUE's source port.
  func writeHeader(inFrontOf inner: UnsafeMutableRawPointer, byteCount: Int, isIPv6: Bool, flow: UInt64) {
    let header = inner - self.byteCount
    switch self {
    case .ipip: return
    case .gre(let hasChecksum):
      header.storeBigEndian16(hasChecksum ? GRE.checksumPresent : 0, at: 0)
      header.storeBigEndian16(isIPv6 ? EtherType.ipv6 : EtherType.ipv4, at: GRE.typeOffset)
      if hasChecksum { header.storeBigEndian32(0, at: GRE.checksumOffset) }
    case .gue(let port, _):
      header.storeBigEndian16(GUE.sourcePort(flow: flow), at: 0)
      header.storeBigEndian16(port, at: UDP.destinationPortOffset)
      header.storeBigEndian16(UInt16(truncatingIfNeeded: byteCount + self.byteCount), at: UDP.lengthOffset)
      header.storeBigEndian16(0, at: UDP.checksumOffset)
      header.storeBigEndian32(UInt32(isIPv6 ? IPProtocol.ipv6 : IPProtocol.ipv4) << 16, at: UDP.headerByteCount)
    }
  }

  /// Fills in the checksum, if there is one, once the outer header is there.
  /// - Parameters:
  ///   - addresses: where the outer header has its source address.
  ///   - byteCount: of this header and the packet.
  func finish(
    _ header: UnsafeMutableRawPointer, byteCount: Int, addresses: UnsafeRawPointer, isIPv6: Bool
  ) {
    var sum = Checksum()
    switch self {
    case .ipip, .gre(hasChecksum: false), .gue(_, hasChecksum: false): return
    case .gre:
      sum.add(UnsafeRawBufferPointer(start: header, count: byteCount))
      header.storeBytes(of: sum.value, toByteOffset: GRE.checksumOffset, as: UInt16.self)
    case .gue:
      if isIPv6 {
        sum.addPseudoHeader6(addresses: addresses, protocolNumber: IPProtocol.udp, byteCount: byteCount)
      } else {
        sum.addPseudoHeader4(addresses: addresses, protocolNumber: IPProtocol.udp, byteCount: byteCount)
      }
      sum.add(UnsafeRawBufferPointer(start: header, count: byteCount))
      header.storeBytes(of: sum.udpValue, toByteOffset: UDP.checksumOffset, as: UInt16.self)
    }
  }
}
