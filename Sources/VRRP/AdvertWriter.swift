import Wire

// Adverts as they leave, IP header and all, byte for byte as keepalived 2.2.7 sends them: service class 0xc0 (network
// control), identification counted from 1, no "do not fragment", hop limit 255 or what unicast says.
//
// Raw sockets of IPv4 take the whole datagram; those of IPv6 make the header themselves and take what is behind it.

/// An advert ready to be sent.
public struct OutgoingAdvert: Hashable, Sendable {
  /// The IP datagram.
  public var bytes: [UInt8]
  /// Where its IP header ends: raw sockets of IPv6 send what follows.
  public var payloadOffset: Int
  /// Its source.
  public var source: IPAddress
  /// A group or a peer.
  public var destination: IPAddress
  /// Its hop limit.
  public var hopLimit: UInt8
  /// The priority it says; 0 is a resignation.
  public var priority: UInt8
}

/// Writes the adverts of one instance.
struct AdvertWriter: Sendable {
  /// The group's sequence number; receiving changes it too.
  var sequence = AuthenticationSequence()
  /// A peer before 1.3.6 has been heard: sum the group's address as it does.
  var usesOldChecksum = false
  private var identification: UInt16 = 0

  /// The adverts of one turn: one for a group, one for each peer, all with one sequence number.
  mutating func adverts(of definition: InstanceDefinition, priority: UInt8) -> [OutgoingAdvert] {
    let number: UInt32? =
      if case .header = definition.authentication { sequence.next() } else { nil }
    switch definition.destination {
    case .group(let group):
      return [advert(of: definition, priority, to: group, hopLimit: 255, number)]
    case .peers(let peers, let hopLimit):
      return peers.filter { $0.address.family == definition.family }.map {
        advert(of: definition, priority, to: $0.address, hopLimit: hopLimit, number)
      }
    }
  }

  private mutating func advert(
    of definition: InstanceDefinition, _ priority: UInt8, to destination: IPAddress, hopLimit: UInt8,
    _ number: UInt32?
  ) -> OutgoingAdvert {
    let addresses = definition.advertised
    let count = VRRPAdvertisement.byteCount(
      version: definition.version.rawValue, family: definition.family, addressCount: addresses.count)
    let isIPv4 = definition.family == .ipv4
    let headerCount = isIPv4 ? IPv4.minimumHeaderByteCount : IPv6.headerByteCount
    let start = headerCount + (number == nil ? 0 : AuthenticationHeader.byteCount)
    var bytes = [UInt8](repeating: 0, count: start + count)
    identification &+= isIPv4 ? 1 : 0
    bytes.withUnsafeMutableBytes { datagram in
      guard let base = datagram.baseAddress else { return }
      writeMessage(of: definition, priority, addresses, to: destination, at: base + start, count)
      if isIPv4 {
        let carried = number == nil ? IPProtocol.vrrp : IPProtocol.authentication
        writeIPv4(to: base, datagram.count, hopLimit, carried, definition.source, destination)
      } else {
        writeIPv6(to: base, count, hopLimit, definition.source, destination)
      }
      if let number, case .header(let key) = definition.authentication {
        AuthenticationHeader.write(
          to: base + headerCount, nextHeader: IPProtocol.vrrp, securityIndex: definition.source.v4, sequence: number)
        let check = key.check(
          header: UnsafeRawBufferPointer(start: base, count: headerCount), extension: base + headerCount,
          message: UnsafeRawBufferPointer(start: base + start, count: count), isUnicast: definition.isUnicast)
        base.storeBigEndian64(check.0, at: headerCount + AuthenticationHeader.checkOffset)
        base.storeBigEndian32(check.1, at: headerCount + AuthenticationHeader.checkOffset + 8)
      }
    }
    return OutgoingAdvert(
      bytes: bytes, payloadOffset: headerCount, source: definition.source, destination: destination,
      hopLimit: hopLimit, priority: priority)
  }

  private func writeMessage(
    of definition: InstanceDefinition, _ priority: UInt8, _ addresses: [IPAddress], to destination: IPAddress,
    at message: UnsafeMutableRawPointer, _ count: Int
  ) {
    let head = VRRPAdvertisement(
      version: definition.version.rawValue, virtualRouter: definition.virtualRouter, priority: priority,
      addressCount: UInt8(addresses.count), authenticationType: definition.authentication?.number ?? 0,
      interval: definition.advertisedInterval)
    head.write(to: message)
    for (index, address) in addresses.enumerated() {
      VRRPAdvertisement.write(address, at: index, to: message)
    }
    if case .password(let key) = definition.authentication {
      message.storeBigEndian64(key.number, at: count - VRRPAdvertisement.passwordByteCount)
    }
    let sum = checksum(of: definition, to: destination).value(UnsafeRawBufferPointer(start: message, count: count))
    message.storeBytes(of: sum, toByteOffset: VRRPAdvertisement.checksumOffset, as: UInt16.self)
  }

  /// What the checksum of an advert to `destination` covers.
  private func checksum(of definition: InstanceDefinition, to destination: IPAddress) -> VRRPChecksum {
    if definition.family == .ipv6 { return .pseudoHeader(source: definition.source, destination: destination) }
    if definition.version == .two || definition.reception.usesPlainChecksum { return .message }
    let isOld = definition.reception.oldUnicastChecksum ?? usesOldChecksum
    return .pseudoHeader(
      source: definition.source,
      destination: definition.isUnicast && isOld ? VRRPAdvertisement.group4 : destination)
  }

  private func writeIPv4(
    to header: UnsafeMutableRawPointer, _ count: Int, _ hopLimit: UInt8, _ carried: UInt8, _ source: IPAddress,
    _ destination: IPAddress
  ) {
    header.storeByte(0x45, at: IPv4.versionOffset)
    header.storeByte(AdvertWriter.serviceClass, at: IPv4.serviceOffset)
    header.storeBigEndian16(UInt16(truncatingIfNeeded: count), at: IPv4.totalLengthOffset)
    header.storeBigEndian16(identification, at: IPv4.identificationOffset)
    header.storeByte(hopLimit, at: IPv4.timeToLiveOffset)
    header.storeByte(carried, at: IPv4.protocolOffset)
    header.storeBigEndian32(source.v4, at: IPv4.sourceOffset)
    header.storeBigEndian32(destination.v4, at: IPv4.destinationOffset)
    var checksum = Checksum()
    checksum.add(UnsafeRawBufferPointer(start: header, count: IPv4.minimumHeaderByteCount))
    header.storeBytes(of: checksum.value, toByteOffset: IPv4.checksumOffset, as: UInt16.self)
  }

  private func writeIPv6(
    to header: UnsafeMutableRawPointer, _ count: Int, _ hopLimit: UInt8, _ source: IPAddress, _ destination: IPAddress
  ) {
    header.storeBigEndian32(6 << 28 | UInt32(AdvertWriter.serviceClass) << 20, at: IPv6.versionOffset)
    header.storeBigEndian16(UInt16(truncatingIfNeeded: count), at: IPv6.payloadLengthOffset)
    header.storeByte(IPProtocol.vrrp, at: IPv6.nextHeaderOffset)
    header.storeByte(hopLimit, at: IPv6.hopLimitOffset)
    for (offset, address) in [(IPv6.sourceOffset, source), (IPv6.destinationOffset, destination)] {
      header.storeBigEndian64(address.high, at: offset)
      header.storeBigEndian64(address.low, at: offset + 8)
    }
  }

  /// Network control.
  private static let serviceClass: UInt8 = 0xc0
}
