import Wire

/// AH and ESP (RFC 4302, RFC 4303) to a virtual service for the key exchange, UDP port 500 (RFC 7296 section 2.23 has the other
/// way, inside UDP port 4500, which is UDP like any other).
///
/// They have no ports to be scheduled by. As in IPVS they go where the client's connection from port 500 to port 500 goes, by
/// the same method, count as its packets and keep it alive, but open none and do not change its state; without one they are the
/// host's. NAT replaces addresses only. AH over IPv6 is the host's, since IPVS takes it for an extension header.
enum SecurityPayload {
  /// Of the key exchange, on both sides.
  static var port: UInt16 { 500 }
  /// As `PacketEnds` has ports.
  static var portBits: UInt64 { UInt64(port) << 16 }

  static func isOne(_ protocolNumber: UInt8, isIPv6: Bool) -> Bool {
    protocolNumber == IPProtocol.esp || protocolNumber == IPProtocol.authentication && !isIPv6
  }

  /// Makes the record that of a packet of the key exchange.
  static func mark(_ packet: UnsafeMutablePointer<Packet>) {
    packet.pointee.flags.insert(.securityPayload)
    packet.pointee.protocolNumber = IPProtocol.udp
    packet.pointee.segment = Packet.noSegment
  }
}
