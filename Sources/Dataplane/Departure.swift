import Wire

/// How a packet leaves: what `Rewrite` says and the batch writes down.
struct Departure {
  /// Where to; nil when the packet's journey has ended otherwise, and all is said about it.
  let hop: UnsafePointer<NextHop>?
  let outcome: Outcome
  /// Where the IP packet begins; it may lie before the frame's old start.
  let header: UnsafeMutableRawPointer
  /// Of the IP packet.
  let byteCount: Int
  /// EtherType as it stands in memory, above the source address.
  let type: UInt64

  /// With its header where it was.
  @inline(__always)
  init(
    _ packet: UnsafeMutablePointer<Packet>, _ form: PacketForm, over hop: UnsafePointer<NextHop>, _ outcome: Outcome
  ) {
    self.hop = hop
    self.outcome = outcome
    header = packet.pointee.network
    byteCount = Int(packet.pointee.byteCount)
    type = NextHop.type(isIPv6: form.isIPv6)
  }

  /// With a header of its own.
  @inline(__always)
  init(
    over hop: UnsafePointer<NextHop>, _ outcome: Outcome, header: UnsafeMutableRawPointer, byteCount: Int, isIPv6: Bool
  ) {
    self.hop = hop
    self.outcome = outcome
    self.header = header
    self.byteCount = byteCount
    type = NextHop.type(isIPv6: isIPv6)
  }

  /// A datagram that is cut later; its header says which family, and how much it is.
  init(whole header: UnsafeMutableRawPointer, over hop: UnsafePointer<NextHop>, _ outcome: Outcome) {
    let bytes = UnsafeRawPointer(header)
    let isIPv6 = bytes.loadByte(at: 0) >> 4 == 6
    let length = bytes.loadBigEndian16(at: isIPv6 ? IPv6.payloadLengthOffset : IPv4.totalLengthOffset)
    self.init(over: hop, outcome, header: header, byteCount: Int(length) + (isIPv6 ? 40 : 0), isIPv6: isIPv6)
  }

  private init(_ packet: UnsafeMutablePointer<Packet>) {
    hop = nil
    outcome = .pending
    header = packet.pointee.network
    byteCount = 0
    type = 0
  }

  /// It does not leave, or has left already.
  @inline(__always)
  static func none(_ packet: UnsafeMutablePointer<Packet>) -> Departure { Departure(packet) }
}

extension Batch {
  /// Writes the Ethernet header in front of the packet and says where the frame leaves.
  @inline(__always)
  func depart(_ index: Int, _ departure: Departure, over hop: UnsafePointer<NextHop>) {
    outcomes[index] = departure.outcome
    send(index, departure.header, byteCount: departure.byteCount, over: hop, type: departure.type)
  }

  /// Makes a frame of the IP packet at `header`.
  @inline(__always)
  func send(
    _ index: Int, _ header: UnsafeMutableRawPointer, byteCount: Int, over hop: UnsafePointer<NextHop>, type: UInt64
  ) {
    egress[index] = hop.pointee.interface
    if _slowPath(hop.pointee.vlan != 0) {
      return sendTagged(index, header, byteCount: byteCount, over: hop, type: type)
    }
    hop.pointee.writeHeader(header - 14, type: type)
    setFrame(index, start: header - 14, byteCount: 14 &+ byteCount)
  }

  @inline(never)
  private func sendTagged(
    _ index: Int, _ header: UnsafeMutableRawPointer, byteCount: Int, over hop: UnsafePointer<NextHop>, type: UInt64
  ) {
    hop.pointee.writeHeader(header - 18, type: type)
    setFrame(index, start: header - 18, byteCount: 18 + byteCount)
  }
}
