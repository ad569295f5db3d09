/// Frames of a few hundred flows that are right, odd, or wrong in many ways; the same seed gives the same frames.
struct FrameMutator {
  /// Where a flow's packets went: what its replies come from.
  struct Partner {
    var server: Address
    var station: UInt64
    var local: Address
    var localPort: UInt16
  }

  /// A frame, and the flow whose unchanged request it is.
  struct Frame {
    var bytes: [UInt8]
    var interface: Int
    var requestOf: Int?
  }

  private let scenario: Scenario
  private let flowCount: Int
  private var random: Randomness
  /// By flow.
  var partners: [Partner?]
  /// Whether frames are made that the reference leaves out.
  var makesLeftOut = true

  init(_ scenario: Scenario, flowCount: Int, seed: UInt64) {
    self.scenario = scenario
    self.flowCount = flowCount
    random = Randomness(seed: seed)
    partners = [Partner?](repeating: nil, count: flowCount)
  }

  /// A number below `limit`.
  mutating func below(_ limit: Int) -> Int { random.below(limit) }

  mutating func next() -> Frame {
    let flow = random.below(flowCount)
    var interface = 0
    var packet = request(flow)
    if scenario.mode.answers, random.below(3) == 0, let partner = partners[flow] {
      packet = reply(flow, partner)
      interface = 1
    }
    packet.protocolNumber = scenario.transport.rawValue
    packet.flags = [0x02, 0x10, 0x10, 0x18, 0x12, 0x11, 0x04, 0x14, 0x00, 0xff, 0x02][random.below(11)]
    packet.transportChecksum = [0x0000, 0xffff, 0x1234, UInt16(truncatingIfNeeded: random.next())][random.below(4)]
    packet.payloadByteCount = [0, 0, 1, 6, 100, 1400][random.below(6)]
    let isPlain = random.below(2) == 0
    if !isPlain { vary(&packet) }
    var bytes = packet.bytes()
    if !isPlain, random.below(3) == 0 { damage(&bytes) }
    return Frame(bytes: bytes, interface: interface, requestOf: isPlain && interface == 0 ? flow : nil)
  }

  private func request(_ flow: Int) -> RawPacket {
    var packet = RawPacket()
    (packet.from, packet.to) = (Scenario.router, Scenario.outside)
    packet.family = scenario.family
    (packet.source, packet.sourcePort) = (scenario.client(flow), scenario.clientPort(flow))
    (packet.destination, packet.destinationPort) = (scenario.vip, Scenario.port)
    return packet
  }

  private func reply(_ flow: Int, _ partner: Partner) -> RawPacket {
    var packet = RawPacket()
    (packet.from, packet.to) = (partner.station, Scenario.inside)
    packet.family = scenario.family
    (packet.source, packet.sourcePort) = (partner.server, scenario.serverPort)
    (packet.destination, packet.destinationPort) = (partner.local, partner.localPort)
    return packet
  }

  /// Something unusual that its parts say.
  private mutating func vary(_ packet: inout RawPacket) {
    switch random.below(makesLeftOut ? 15 : 12) {
    case 0: packet.vlans = [UInt16(random.below(4095))]
    case 1: packet.vlans = [7, 8]
    case 2: packet.optionWords = 1 + random.below(10)
    case 3: packet.extensions = (0..<1 + random.below(9)).map { _ in [0, 43, 60][random.below(3)] }
    case 4: packet.hopLimit = UInt8(2 + random.below(254))
    case 5: packet.to = [0xffff_ffff_ffff, 0x0100_5e00_0001, 0x02_0000_0009_99][random.below(3)]
    case 6: packet.hasBadHeaderChecksum = true
    case 7: packet.paddingByteCount = random.below(40)
    case 8: packet.protocolNumber = [1, 58, 47, 6, 17][random.below(5)]
    case 9: packet.destinationPort = [81, 0, 8080, 65535][random.below(4)]
    case 10: packet.sourcePort = [20, 0, 80, 8080, 65535][random.below(5)]
    case 13:
      packet.payloadByteCount = 1430 + random.below(100)
      packet.keepsWhole = random.below(2) == 0
    case 12: packet.hopLimit = UInt8(random.below(3))
    case 14: fragment(&packet)
    default: packet.source = Address(high: packet.source.high, low: packet.source.low ^ 1 << UInt64(random.below(24)))
    }
  }

  /// A fragment that opens no connection with lbd, because the reference leaves fragments out altogether: of an unknown
  /// client, and no SYN; or a later one.
  private mutating func fragment(_ packet: inout RawPacket) {
    let isLater = packet.protocolNumber == 17 || random.below(2) == 0
    packet.fragment = (isLater ? UInt16(1 + random.below(100)) : 0, random.below(2) == 0 || !isLater)
    packet.flags = 0x10
    // Further from every flow than flipped bits take one.
    packet.source = Address(high: packet.source.high, low: packet.source.low ^ 0x7f00_0000)
  }

  /// Cuts the frame short, or flips bits of it.
  private mutating func damage(_ bytes: inout [UInt8]) {
    if random.below(3) == 0 {
      bytes.removeLast(1 + random.below(bytes.count - 1))
      return
    }
    // See `fragment`: a flipped bit may make a SYN of one, or one of a SYN.
    if FrameMutator.isFragment(bytes) { return }
    let whole = bytes
    for _ in 0..<1 + random.below(3) {
      let bit = random.below(min(bytes.count, 90) * 8)
      bytes[bit / 8] ^= 1 << UInt8(bit % 8)
    }
    if scenario.family == .v4, random.below(2) == 0 { repairHeader(&bytes) }
    if FrameMutator.isFragment(bytes) { bytes = whole }
  }

  /// Makes the IPv4 header's checksum right again, so that what was flipped is looked at.
  private func repairHeader(_ bytes: inout [UInt8]) {
    guard bytes.count >= 34, bytes[12] == 8, bytes[13] == 0 else { return }
    let end = 14 + Int(bytes[14] & 15) * 4
    guard end >= 34, end <= bytes.count else { return }
    bytes.replaceSubrange(24..<26, with: [0, 0])
    bytes.replaceSubrange(24..<26, with: RawPacket.big(UInt64(RawPacket.checksum(Array(bytes[14..<end]))), 2))
  }

  /// True when it is, or could be taken for, a piece of a datagram.
  static func isFragment(_ bytes: [UInt8]) -> Bool {
    var start = 14
    while start + 4 <= bytes.count, [0x81, 0x88].contains(bytes[start - 2]), start < 22 { start += 4 }
    guard start + 40 <= bytes.count else { return false }
    if bytes[start - 2] == 0x08 { return (UInt16(bytes[start + 6]) << 8 | UInt16(bytes[start + 7])) & 0x3fff != 0 }
    var next = bytes[start + 6]
    var position = start + 40
    while [0, 43, 60].contains(next), position + 2 <= bytes.count {
      next = bytes[position]
      position += (Int(bytes[position + 1]) + 1) * 8
    }
    return next == 44
  }
}
