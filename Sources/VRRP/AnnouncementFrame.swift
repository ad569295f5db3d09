import Wire

// How the network is told where an address is, as whole Ethernet frames.
//
// IPv4: an ARP request for the address, from the address, to everybody (RFC 5227 section 3 calls that an announcement).
// Every host and every switch that sees it takes the sender's Ethernet address.
//
// IPv6: an unsolicited neighbour advertisement (RFC 4861 section 7.2.6) to all nodes, with the override flag, so that caches
// take the new Ethernet address even though they have one.

/// Frames that say where an address is.
public enum AnnouncementFrame {
  /// The frame for an address.
  ///
  /// - Parameters:
  ///   - address: what is announced.
  ///   - hardware: who has it: the interface's Ethernet address, or the virtual router's.
  ///   - isRouter: the host forwards IPv6; says so for IPv6.
  /// - Returns: 42 bytes for IPv4, 86 for IPv6; padding is the card's business.
  public static func bytes(for address: IPAddress, at hardware: EthernetAddress, isRouter: Bool = false) -> [UInt8] {
    address.family == .ipv4 ? request(address, hardware) : advertisement(address, hardware, isRouter)
  }

  private static func request(_ address: IPAddress, _ hardware: EthernetAddress) -> [UInt8] {
    var frame = [UInt8](repeating: 0, count: Ethernet.headerByteCount + ARP.byteCount)
    frame.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      writeEthernet(to: base, from: hardware, to: EthernetAddress.broadcast, EtherType.arp)
      let packet = base + Ethernet.headerByteCount
      packet.storeBigEndian16(ARP.ethernetHardware, at: ARP.hardwareTypeOffset)
      packet.storeBigEndian16(EtherType.ipv4, at: ARP.protocolTypeOffset)
      packet.storeByte(6, at: ARP.hardwareLengthOffset)
      packet.storeByte(4, at: ARP.protocolLengthOffset)
      packet.storeBigEndian16(ARP.request, at: ARP.operationOffset)
      packet.storeEthernetAddress(hardware, at: ARP.senderHardwareOffset)
      packet.storeBigEndian32(address.v4, at: ARP.senderProtocolOffset)
      packet.storeEthernetAddress(EthernetAddress.broadcast, at: ARP.targetHardwareOffset)
      packet.storeBigEndian32(address.v4, at: ARP.targetProtocolOffset)
    }
    return frame
  }

  private static func advertisement(_ address: IPAddress, _ hardware: EthernetAddress, _ isRouter: Bool) -> [UInt8] {
    let count = 32
    var frame = [UInt8](repeating: 0, count: Ethernet.headerByteCount + IPv6.headerByteCount + count)
    frame.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      writeEthernet(to: base, from: hardware, to: allNodesHardware, EtherType.ipv6)
      let header = base + Ethernet.headerByteCount
      header.storeBigEndian32(6 << 28, at: IPv6.versionOffset)
      header.storeBigEndian16(UInt16(count), at: IPv6.payloadLengthOffset)
      header.storeByte(IPProtocol.icmpv6, at: IPv6.nextHeaderOffset)
      header.storeByte(255, at: IPv6.hopLimitOffset)
      store(address, to: header + IPv6.sourceOffset)
      store(allNodes, to: header + IPv6.destinationOffset)
      let message = header + IPv6.headerByteCount
      message.storeByte(ICMPv6.neighbourAdvertisement, at: 0)
      message.storeByte((isRouter ? 0x80 : 0) | 0x20, at: 4)
      store(address, to: message + 8)
      message.storeByte(2, at: 24)
      message.storeByte(1, at: 25)
      message.storeEthernetAddress(hardware, at: 26)
      var checksum = Checksum()
      checksum.addPseudoHeader6(
        addresses: UnsafeRawPointer(header + IPv6.sourceOffset), protocolNumber: IPProtocol.icmpv6, byteCount: count)
      checksum.add(UnsafeRawBufferPointer(start: message, count: count))
      message.storeBytes(of: checksum.value, toByteOffset: 2, as: UInt16.self)
    }
    return frame
  }

  private static func writeEthernet(
    to frame: UnsafeMutableRawPointer, from source: EthernetAddress, to destination: EthernetAddress, _ type: UInt16
  ) {
    frame.storeEthernetAddress(destination, at: 0)
    frame.storeEthernetAddress(source, at: 6)
    frame.storeBigEndian16(type, at: 12)
  }

  private static func store(_ address: IPAddress, to place: UnsafeMutableRawPointer) {
    place.storeBigEndian64(address.high, at: 0)
    place.storeBigEndian64(address.low, at: 8)
  }

  /// The group of ff02::1.
  private static let allNodesHardware = EthernetAddress(0x3333_0000_0001)
  private static let allNodes = IPAddress(high: 0xff02_0000_0000_0000, low: 1)
}
