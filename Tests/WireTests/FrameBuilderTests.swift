import Testing
import Wire

struct FrameBuilderTests {
  static let client = IPAddress("172.16.0.1")!
  static let virtual = IPAddress("10.1.0.100")!
  static let client6 = IPAddress("2001:db8::1")!
  static let virtual6 = IPAddress("2001:db8:1::80")!

  static func bytes(_ hexadecimal: String) -> [UInt8] {
    let digits = Array(hexadecimal.filter { $0 != " " })
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(String(digits[$0...$0 + 1]), radix: 16)! }
  }

  @Test func synOverIPv4() {
    let frame = FrameBuilder(from: EthernetAddress(0x0200_0000_01fe), to: EthernetAddress(0x0200_0000_0101))
      .ip(from: FrameBuilderTests.client, to: FrameBuilderTests.virtual)
      .tcp(from: 1024, to: 80, flags: TCP.syn).frame
    let expected =
      "0200000001010200000001fe0800 45000028000100004006c459ac1000010a010064 04000050000003e80000000050022000d1340000"
    #expect(frame == FrameBuilderTests.bytes(expected))
  }

  /// The sum over pseudo-header and payload is all ones when the checksum is right.
  @Test(arguments: [0, 1, 7, 100]) func checksumsVerify(length: Int) {
    let payload = (0..<length).map { UInt8($0 & 255) }
    let four = FrameBuilder().ip(from: FrameBuilderTests.client, to: FrameBuilderTests.virtual)
    let six = FrameBuilder().ip(from: FrameBuilderTests.client6, to: FrameBuilderTests.virtual6)
    for (base, header) in [(four, 20), (six, 40)] {
      let rows = [
        (base.tcp(from: 1, to: 2, flags: TCP.ack, options: [2, 4, 5, 180]), IPProtocol.tcp),
        (base.udp(from: 1, to: 2), IPProtocol.udp),
        (base.icmp(type: 8), header == 20 ? IPProtocol.icmpv4 : IPProtocol.icmpv6),
      ]
      for (builder, number) in rows {
        let packet = builder.payload(payload).packet
        packet.withUnsafeBytes { raw in
          var sum = Checksum()
          let count = packet.count - header
          if header == 40 {
            sum.addPseudoHeader6(addresses: raw.baseAddress! + 8, protocolNumber: number, byteCount: count)
          } else if number != IPProtocol.icmpv4 {
            sum.addPseudoHeader4(addresses: raw.baseAddress! + 12, protocolNumber: number, byteCount: count)
          }
          sum.add(UnsafeRawBufferPointer(rebasing: raw[header...]))
          #expect(sum.folded == 0xffff, "protocol \(number) header \(header)")
        }
      }
    }
  }

  @Test func ipv4OptionsAndFragment() {
    let packet = FrameBuilder()
      .ipv4(
        from: FrameBuilderTests.client, to: FrameBuilderTests.virtual, fragment: IPv4.moreFragments | 185,
        options: [1, 1, 1], protocolNumber: IPProtocol.udp
      ).payload([9, 9]).packet
    #expect(packet.count == 26 && packet[0] == 0x46 && packet[9] == 17)
    #expect(Array(packet[6...7]) == [0x20, 185] && Array(packet[20...23]) == [1, 1, 1, 0])
    packet.withUnsafeBytes { raw in
      var sum = Checksum()
      sum.add(UnsafeRawBufferPointer(rebasing: raw[..<24]))
      #expect(sum.folded == 0xffff)
      #expect(IPv4.headerByteCount(raw.baseAddress!) == 24 && IPv4.isFragment(raw.baseAddress!))
      #expect(IPv4.source(raw.baseAddress!) == FrameBuilderTests.client)
    }
  }

  @Test func ipv6ExtensionsChain() {
    let packet = FrameBuilder()
      .ipv6(
        from: FrameBuilderTests.client6, to: FrameBuilderTests.virtual6,
        extensions: [(IPProtocol.hopByHop, [0, 1, 4, 0, 0, 0, 0]), (IPProtocol.fragment, [0, 0, 1, 0, 0, 0, 7])]
      ).udp(from: 1, to: 2, hasChecksum: false).packet
    #expect(packet.count == 64 && packet[6] == 0 && packet[40] == 44 && packet[48] == 17)
    #expect(Array(packet[4...5]) == [0, 24] && Array(packet[60...63]) == [0, 8, 0, 0])
    packet.withUnsafeBytes { raw in
      #expect(IPv6.source(raw.baseAddress!) == FrameBuilderTests.client6)
      #expect(IPv6.destination(raw.baseAddress!) == FrameBuilderTests.virtual6)
    }
  }

  @Test func tagsStackOutermostFirst() {
    let frame = FrameBuilder().vlan(7, type: EtherType.serviceVLAN).vlan(100, priority: 5)
      .ip(from: FrameBuilderTests.client6, to: FrameBuilderTests.virtual6).frame
    #expect(Array(frame[12..<22]) == [0x88, 0xa8, 0, 7, 0x81, 0, 0xa0, 100, 0x86, 0xdd])
  }

  @Test func tunnelsNest() {
    let packet = FrameBuilder().ip(from: FrameBuilderTests.client, to: FrameBuilderTests.virtual)
      .ip(from: FrameBuilderTests.client6, to: FrameBuilderTests.virtual6).icmp(type: 128).packet
    #expect(packet[9] == IPProtocol.ipv6 && packet[26] == IPProtocol.icmpv6 && packet.count == 68)
  }
}
