import Wire

/// What IPv6 extension headers change in a packet's journey (RFC 8200 section 4).
extension Packet {
  /// `segment` as the state machine is told. IPVS takes what stands behind the fixed IPv6 header for the TCP header even
  /// where an extension header stands there, and its listings show the states that come of it.
  var event: UInt8 {
    guard isIPv6, isTCP, form.isOdd, transportOffset > 40, segment != Packet.noSegment, byteCount >= 60 else {
      return segment
    }
    return UnsafeRawPointer(network).loadByte(at: IPv6.headerByteCount + 13) & 0x1f
  }
}
