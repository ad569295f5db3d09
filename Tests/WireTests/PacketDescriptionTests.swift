import Testing
import Wire

struct PacketDescriptionTests {
  static let stations = "02:00:00:00:01:fe > 02:00:00:00:01:01"
  static let base = FrameBuilder(from: EthernetAddress(0x0200_0000_01fe), to: EthernetAddress(0x0200_0000_0101))
  static let four = base.ip(from: FrameBuilderTests.client, to: FrameBuilderTests.virtual)
  static let six = base.ip(from: FrameBuilderTests.client6, to: FrameBuilderTests.virtual6)
  static let syn = four.tcp(from: 40000, to: 80, flags: TCP.syn)

  static let rows: [(String, [UInt8], String)] = [
    ("SYN", syn.frame, "IP 172.16.0.1:40000 > 10.1.0.100:80 TCP S ttl 64 len 40"),
    ("padded", syn.frame + [0, 0, 0, 0, 0, 0], "IP 172.16.0.1:40000 > 10.1.0.100:80 TCP S ttl 64 len 40"),
    (
      "VLAN",
      base.vlan(100).ip(from: FrameBuilderTests.client, to: FrameBuilderTests.virtual).tcp(
        from: 1, to: 80, flags: TCP.fin | TCP.ack
      ).frame, "vlan 100 IP 172.16.0.1:1 > 10.1.0.100:80 TCP FA ttl 64 len 40"
    ),
    (
      "UDP over IPv6", six.udp(from: 53, to: 80).payload([1]).frame,
      "IP6 [2001:db8::1]:53 > [2001:db8:1::80]:80 UDP hlim 64 len 49"
    ),
    ("echo", four.icmp(type: 8).frame, "IP 172.16.0.1 > 10.1.0.100 ICMP type 8 code 0 ttl 64 len 28"),
    (
      "quoted", four.icmp(type: 3, code: 4, rest: 1400).payload(Array(syn.packet[..<28])).frame,
      "IP 172.16.0.1 > 10.1.0.100 ICMP type 3 code 4 mtu 1400 ttl 64 len 56 | "
        + "IP 172.16.0.1:40000 > 10.1.0.100:80 TCP cut off ttl 64 len 40 cut at 28"
    ),
    (
      "later fragment",
      base.ipv4(
        from: FrameBuilderTests.client, to: FrameBuilderTests.virtual, identification: 9, fragment: 185,
        protocolNumber: 17
      ).payload([1, 2]).frame, "IP 172.16.0.1 > 10.1.0.100 protocol 17 ttl 64 len 22 frag 9@1480"
    ),
    (
      "tunnel", four.ip(from: FrameBuilderTests.client, to: FrameBuilderTests.virtual).udp(from: 1, to: 2).frame,
      "IP 172.16.0.1 > 10.1.0.100 in IP ttl 64 len 48 | IP 172.16.0.1:1 > 10.1.0.100:2 UDP ttl 64 len 28"
    ),
    ("other type", Array(base.frame[..<12]) + [0x88, 0xcc, 1, 2], "type 0x88cc len 2"),
    (
      "ARP",
      Array(base.frame[..<12]) + [8, 6, 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 1, 0xfe, 10, 1, 0, 254]
        + [0, 0, 0, 0, 0, 0, 10, 1, 0, 100], "ARP who has 10.1.0.100 tell 10.1.0.254"
    ),
  ]

  @Test(arguments: rows) func lines(name: String, frame: [UInt8], text: String) {
    #expect(PacketDescription.frame(frame) == PacketDescriptionTests.stations + " " + text)
  }

  /// Every prefix and many forgeries of good frames: some text, no crash.
  @Test func hostileBytesGiveSomeText() {
    var generator = SystemRandomNumberGenerator()
    var nested = FrameBuilder()
    for _ in 0..<20 { nested = nested.ip(from: FrameBuilderTests.client, to: FrameBuilderTests.virtual) }
    let extended = FrameBuilder().ipv6(
      from: FrameBuilderTests.client6, to: FrameBuilderTests.virtual6,
      extensions: [
        (0, [0, 0, 0, 0, 0, 0, 0]), (44, [0, 0, 1, 0, 0, 0, 7]), (51, [4] + [UInt8](repeating: 0, count: 22)),
      ]
    ).tcp(from: 1, to: 2, flags: 0)
    for good in PacketDescriptionTests.rows.map(\.1) + [nested.frame, extended.frame] {
      for length in 0...good.count {
        // A copy of exact length, so that reading past the end is an error under a sanitizer.
        #expect(!PacketDescription.frame(Array(good[..<length])).isEmpty)
      }
      for _ in 0..<500 {
        var forged = good
        for _ in 0..<Int.random(in: 1...4, using: &generator) {
          forged[Int.random(in: 12..<forged.count, using: &generator)] = .random(in: 0...255, using: &generator)
        }
        #expect(!PacketDescription.frame(forged).isEmpty)
      }
    }
  }
}
