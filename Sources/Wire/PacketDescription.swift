// One line about a frame, for tests, logs and the tools that explain an outcome.
//
//     02:00:00:00:01:fe > 02:00:00:00:01:01 vlan 100 IP 172.16.1.1:40000 > 10.1.0.100:80 TCP S ttl 64 len 40
//
// It reads whatever it is given, also frames that were cut off or forged: every access is checked, nesting is bounded,
// and what cannot be read is said to be `cut off`. It is for people, so it takes its time and allocates; nothing that
// moves packets may call it.

/// Human text of a frame or packet.
public enum PacketDescription {
  /// One line about an Ethernet frame.
  public static func frame(_ bytes: UnsafeRawBufferPointer) -> String {
    guard bytes.count >= Ethernet.headerByteCount, let base = bytes.baseAddress else { return "frame cut off" }
    let source = base.loadEthernetAddress(at: Ethernet.sourceOffset)
    let destination = base.loadEthernetAddress(at: Ethernet.destinationOffset)
    var text = "\(source) > \(destination)"
    var offset = Ethernet.typeOffset
    var type = base.loadBigEndian16(at: offset)
    while type == EtherType.vlan || type == EtherType.serviceVLAN {
      guard bytes.count >= offset + VLAN.tagByteCount + 2 else { return text + " vlan cut off" }
      text += " vlan \(base.loadBigEndian16(at: offset + 2) & VLAN.identifierMask)"
      offset += VLAN.tagByteCount
      type = base.loadBigEndian16(at: offset)
    }
    let rest = UnsafeRawBufferPointer(rebasing: bytes[(offset + 2)...])
    switch type {
    case EtherType.ipv4, EtherType.ipv6: return text + " " + packet(rest)
    case EtherType.arp: return text + " " + arp(rest)
    default: return text + " type 0x\(String(type, radix: 16)) len \(rest.count)"
    }
  }

  /// One line about an Ethernet frame.
  public static func frame(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes { frame($0) } }

  /// One line about an IPv4 or IPv6 packet.
  public static func packet(_ bytes: UnsafeRawBufferPointer) -> String { packet(bytes, depth: 0) }

  /// Tunnels and quoted packets nest; a forged packet may nest for ever.
  private static let maximumDepth = 4

  private static func packet(_ bytes: UnsafeRawBufferPointer, depth: Int) -> String {
    guard let base = bytes.baseAddress, bytes.count > 0 else { return "IP cut off" }
    guard depth < maximumDepth else { return "…" }
    switch base.loadByte(at: 0) >> 4 {
    case 4: return ipv4(bytes, base, depth: depth)
    case 6: return ipv6(bytes, base, depth: depth)
    default: return "IP version \(base.loadByte(at: 0) >> 4)"
    }
  }

  private static func arp(_ bytes: UnsafeRawBufferPointer) -> String {
    guard bytes.count >= ARP.byteCount, let base = bytes.baseAddress else { return "ARP cut off" }
    let sender = IPAddress(v4: base.loadBigEndian32(at: ARP.senderProtocolOffset))
    let target = IPAddress(v4: base.loadBigEndian32(at: ARP.targetProtocolOffset))
    switch base.loadBigEndian16(at: ARP.operationOffset) {
    case ARP.request: return "ARP who has \(target) tell \(sender)"
    case ARP.reply: return "ARP \(sender) is at \(base.loadEthernetAddress(at: ARP.senderHardwareOffset))"
    case let operation: return "ARP operation \(operation)"
    }
  }

  private static func ipv4(_ bytes: UnsafeRawBufferPointer, _ base: UnsafeRawPointer, depth: Int) -> String {
    guard bytes.count >= IPv4.minimumHeaderByteCount else { return "IP cut off" }
    let header = IPv4.headerByteCount(base)
    let total = Int(base.loadBigEndian16(at: IPv4.totalLengthOffset))
    let fragment = base.loadBigEndian16(at: IPv4.fragmentOffset)
    let offset = Int(fragment & IPv4.fragmentOffsetMask) * 8
    var upper = Upper(
      number: base.loadByte(at: IPv4.protocolOffset), source: IPv4.source(base), destination: IPv4.destination(base),
      family: "IP", tail: " ttl \(base.loadByte(at: IPv4.timeToLiveOffset)) len \(total)")
    if header > IPv4.minimumHeaderByteCount { upper.tail += " options \(header - IPv4.minimumHeaderByteCount)" }
    if fragment & IPv4.dontFragment != 0 { upper.tail += " DF" }
    if IPv4.isFragment(base) {
      let identification = base.loadBigEndian16(at: IPv4.identificationOffset)
      upper.tail += " frag \(identification)@\(offset)\(fragment & IPv4.moreFragments != 0 ? "+" : "")"
    }
    guard header >= IPv4.minimumHeaderByteCount, header <= bytes.count else { return upper.plain("header cut off") }
    if offset > 0 { return upper.plain("protocol \(upper.number)") }
    // Padding follows the packet in a short frame; a frame shorter than the packet says so itself.
    let end = total >= header && total < bytes.count ? total : bytes.count
    if total > bytes.count { upper.tail += " cut at \(bytes.count)" }
    return upper.text(UnsafeRawBufferPointer(rebasing: bytes[header..<end]), depth: depth)
  }

  private static func ipv6(_ bytes: UnsafeRawBufferPointer, _ base: UnsafeRawPointer, depth: Int) -> String {
    guard bytes.count >= IPv6.headerByteCount else { return "IP6 cut off" }
    let total = Int(base.loadBigEndian16(at: IPv6.payloadLengthOffset)) + IPv6.headerByteCount
    var upper = Upper(
      number: base.loadByte(at: IPv6.nextHeaderOffset), source: IPv6.source(base), destination: IPv6.destination(base),
      family: "IP6", tail: " hlim \(base.loadByte(at: IPv6.hopLimitOffset)) len \(total)")
    if total > bytes.count { upper.tail += " cut at \(bytes.count)" }
    let end = min(total, bytes.count)
    var offset = IPv6.headerByteCount
    while IPv6Extensions.isExtension(upper.number) {
      guard end - offset >= IPv6Extensions.minimumByteCount else { return upper.plain("extension cut off") }
      let number = upper.number
      let header = base + offset
      let length = IPv6Extensions.byteCount(of: number, header)
      guard length <= end - offset else { return upper.plain("extension cut off") }
      upper.number = header.loadByte(at: IPv6Extensions.nextHeaderOffset)
      offset += length
      guard number == IPProtocol.fragment else {
        upper.tail += " ext \(number)"
        continue
      }
      let word = header.loadBigEndian16(at: IPv6Extensions.fragmentOffset)
      let place = word & IPv6Extensions.fragmentOffsetMask
      let identification = header.loadBigEndian32(at: IPv6Extensions.fragmentIdentificationOffset)
      upper.tail += " frag \(identification)@\(place)\(word & IPv6Extensions.moreFragments != 0 ? "+" : "")"
      if place > 0 { return upper.plain("protocol \(upper.number)") }
    }
    return upper.text(UnsafeRawBufferPointer(rebasing: bytes[offset..<end]), depth: depth)
  }

  /// What the IP header has told, while the transport header is read.
  private struct Upper {
    var number: UInt8
    let source: IPAddress
    let destination: IPAddress
    let family: String
    var tail: String

    func plain(_ what: String) -> String { "\(family) \(source) > \(destination) \(what)\(tail)" }

    func text(_ bytes: UnsafeRawBufferPointer, depth: Int) -> String {
      guard let base = bytes.baseAddress else { return plain("protocol \(number)") }
      switch number {
      case IPProtocol.tcp: return tcp(bytes, base)
      case IPProtocol.udp: return ports(bytes, base, needs: UDP.headerByteCount, name: "UDP", detail: "")
      case IPProtocol.sctp: return sctp(bytes, base)
      case IPProtocol.icmpv4, IPProtocol.icmpv6: return icmp(bytes, base, depth: depth)
      case IPProtocol.ipv4, IPProtocol.ipv6:
        return plain("in IP") + " | " + PacketDescription.packet(bytes, depth: depth + 1)
      default: return plain("protocol \(number)")
      }
    }

    private func ports(
      _ bytes: UnsafeRawBufferPointer, _ base: UnsafeRawPointer, needs: Int, name: String, detail: String
    ) -> String {
      guard bytes.count >= 4 else { return plain(name + " cut off") }
      let from = Endpoint(address: source, port: base.loadBigEndian16(at: 0))
      let to = Endpoint(address: destination, port: base.loadBigEndian16(at: 2))
      let cut = bytes.count < needs ? " cut off" : ""
      return "\(family) \(from) > \(to) \(name)\(detail)\(cut)\(tail)"
    }

    private func tcp(_ bytes: UnsafeRawBufferPointer, _ base: UnsafeRawPointer) -> String {
      var letters = ""
      if bytes.count > TCP.flagsOffset {
        let flags = base.loadByte(at: TCP.flagsOffset)
        for (bit, letter) in "FSRPAUEW".enumerated() where flags >> UInt8(bit) & 1 != 0 { letters.append(letter) }
        letters = " " + (letters.isEmpty ? "-" : letters)
      }
      return ports(bytes, base, needs: TCP.minimumHeaderByteCount, name: "TCP", detail: letters)
    }

    private func sctp(_ bytes: UnsafeRawBufferPointer, _ base: UnsafeRawPointer) -> String {
      let hasChunk = bytes.count >= SCTP.headerByteCount + SCTP.chunkHeaderByteCount
      let chunk = hasChunk ? " chunk \(base.loadByte(at: SCTP.headerByteCount))" : ""
      return ports(bytes, base, needs: SCTP.headerByteCount, name: "SCTP", detail: chunk)
    }

    private func icmp(_ bytes: UnsafeRawBufferPointer, _ base: UnsafeRawPointer, depth: Int) -> String {
      let isV4 = number == IPProtocol.icmpv4
      let name = isV4 ? "ICMP" : "ICMP6"
      guard bytes.count >= ICMPv4.headerByteCount else { return plain(name + " cut off") }
      let type = base.loadByte(at: ICMPv4.typeOffset)
      let code = base.loadByte(at: ICMPv4.codeOffset)
      var text = "\(name) type \(type) code \(code)"
      if isV4 && type == ICMPv4.destinationUnreachable && code == ICMPv4.fragmentationNeeded {
        text += " mtu \(base.loadBigEndian16(at: ICMPv4.mtuOffset))"
      } else if !isV4 && type == ICMPv6.packetTooBig {
        text += " mtu \(base.loadBigEndian32(at: ICMPv6.mtuOffset))"
      }
      guard isV4 ? ICMPv4.isError(type) : ICMPv6.isError(type) else { return plain(text) }
      let quoted = UnsafeRawBufferPointer(rebasing: bytes[ICMPv4.headerByteCount...])
      return plain(text) + " | " + PacketDescription.packet(quoted, depth: depth + 1)
    }
  }
}
