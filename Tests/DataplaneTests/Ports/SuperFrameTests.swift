import CShims
import Testing

@testable import Dataplane

struct SuperFrameTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let name: String
    var frame: SampleFrame
    var gso: Int32
    var size = 100
    var isUnfinished = true
    var testDescription: String { name }
  }

  static func payload(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) } }

  static let rows: [Row] = [
    Row(name: "TCPv4", frame: SampleFrame(payload: payload(950)), gso: VIRTIO_NET_HDR_GSO_TCPV4),
    Row(name: "TCPv4 exact multiple", frame: SampleFrame(payload: payload(500)), gso: VIRTIO_NET_HDR_GSO_TCPV4),
    Row(name: "TCPv4 one piece", frame: SampleFrame(payload: payload(60)), gso: VIRTIO_NET_HDR_GSO_TCPV4),
    Row(
      name: "TCPv4 FIN PSH CWR, sequence wraps, odd size",
      frame: SampleFrame(flags: 0x99, sequence: 0xffff_ff80, identification: 0xffff, payload: payload(777)),
      gso: VIRTIO_NET_HDR_GSO_TCPV4 | VIRTIO_NET_HDR_GSO_ECN, size: 101),
    Row(
      name: "TCPv4 options of both headers",
      frame: SampleFrame(
        options: [1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8], networkOptions: [1, 1, 1, 0], payload: payload(3000)),
      gso: VIRTIO_NET_HDR_GSO_TCPV4, size: 1400),
    Row(
      name: "TCPv4 one tag", frame: SampleFrame(tags: [[0x81, 0, 0x60, 6]], payload: payload(333)),
      gso: VIRTIO_NET_HDR_GSO_TCPV4),
    Row(
      name: "TCPv4 two tags",
      frame: SampleFrame(tags: [[0x88, 0xa8, 0, 5], [0x81, 0, 0x20, 6]], payload: payload(333)),
      gso: VIRTIO_NET_HDR_GSO_TCPV4),
    Row(
      name: "TCPv4 received (GRO), finished checksum", frame: SampleFrame(payload: payload(64_000)),
      gso: VIRTIO_NET_HDR_GSO_TCPV4, size: 1448, isUnfinished: false),
    Row(name: "TCPv6", frame: SampleFrame(isIPv6: true, payload: payload(950)), gso: VIRTIO_NET_HDR_GSO_TCPV6),
    Row(
      name: "TCPv6 extension headers, tag",
      frame: SampleFrame(
        isIPv6: true, tags: [[0x81, 0, 0, 9]], extensionHeaders: [60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4, 0, 0, 0, 0],
        firstNextHeader: 0, payload: payload(950)), gso: VIRTIO_NET_HDR_GSO_TCPV6),
    Row(name: "UDPv4", frame: SampleFrame(transport: .udp, payload: payload(950)), gso: LBD_VIRTIO_GSO_UDP_L4),
    Row(
      name: "UDPv6", frame: SampleFrame(isIPv6: true, transport: .udp, payload: payload(1200)),
      gso: LBD_VIRTIO_GSO_UDP_L4),
  ]

  static func cut(
    _ bytes: [UInt8], _ offload: virtio_net_hdr, limit: Int = 1792, extra: Int = 0
  ) -> [[UInt8]]? {
    bytes.withUnsafeBytes { source in
      guard let base = source.baseAddress else { return nil }
      var frame = SuperFrame(idle: base)
      guard frame.begin(base, byteCount: bytes.count, offload: offload, limit: limit) else { return nil }
      var pieces: [[UInt8]] = []
      let room = UnsafeMutableRawPointer.allocate(byteCount: limit + extra, alignment: 16)
      defer { room.deallocate() }
      while frame.isActive {
        let count = frame.next(into: room)
        pieces.append(Array(UnsafeRawBufferPointer(start: room, count: count)))
      }
      return pieces
    }
  }

  static func offload(_ row: Row) -> virtio_net_hdr {
    var offload = virtio_net_hdr()
    offload.gso_type = UInt8(truncatingIfNeeded: row.gso)
    offload.gso_size = UInt16(row.size)
    if row.isUnfinished {
      offload.flags = UInt8(VIRTIO_NET_HDR_F_NEEDS_CSUM)
      offload.csum_start = UInt16(row.frame.transportOffset)
      offload.csum_offset = UInt16(row.frame.checksumField)
    }
    return offload
  }

  /// Each piece is what the sample builder makes of that part of the payload: every length, number, flag and checksum.
  @Test(arguments: rows)
  func pieces(row: Row) throws {
    let whole = row.frame.bytes(isUnfinished: row.isUnfinished)
    let pieces = try #require(SuperFrameTests.cut(whole, SuperFrameTests.offload(row)))
    let payload = row.frame.payload
    #expect(pieces.count == (payload.count + row.size - 1) / row.size)
    for (index, piece) in pieces.enumerated() {
      let start = index * row.size
      let end = min(start + row.size, payload.count)
      var wanted = row.frame
      wanted.payload = Array(payload[start..<end])
      wanted.sequence &+= UInt32(start)
      wanted.identification &+= UInt16(index)
      if end < payload.count { wanted.flags &= ~0x09 }
      if index > 0 { wanted.flags &= ~0x80 }
      #expect(piece == wanted.bytes(), "piece \(index)")
    }
    #expect(pieces.flatMap { $0.dropFirst(whole.count - payload.count) } == payload)
  }

  @Test func udpWithoutChecksumStaysWithout() throws {
    let sample = SampleFrame(transport: .udp, payload: SuperFrameTests.payload(300))
    var bytes = sample.bytes()
    bytes[sample.transportOffset + 6] = 0
    bytes[sample.transportOffset + 7] = 0
    let row = Row(name: "", frame: sample, gso: LBD_VIRTIO_GSO_UDP_L4, isUnfinished: false)
    let pieces = try #require(SuperFrameTests.cut(bytes, SuperFrameTests.offload(row)))
    #expect(pieces.count == 3)
    #expect(pieces.allSatisfy { $0[sample.transportOffset + 6] == 0 && $0[sample.transportOffset + 7] == 0 })
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    let name: String
    var row = SuperFrameTests.rows[0]
    var limit = 1792
    var change: @Sendable (inout [UInt8], inout virtio_net_hdr) -> Void = { _, _ in }
    var testDescription: String { name }
  }

  static let refusals: [Refusal] = [
    Refusal(name: "segment longer than a frame", limit: 150),
    Refusal(name: "segment size 0") { $1.gso_size = 0 },
    Refusal(name: "tunnel: checksum starts elsewhere") { $1.csum_start += 20 },
    Refusal(name: "family does not match") { $1.gso_type = UInt8(VIRTIO_NET_HDR_GSO_TCPV6) },
    Refusal(name: "protocol does not match") { $1.gso_type = UInt8(LBD_VIRTIO_GSO_UDP_L4) },
    Refusal(name: "fragmentation offload") { $1.gso_type = UInt8(VIRTIO_NET_HDR_GSO_UDP) },
    Refusal(name: "fragment") { bytes, _ in bytes[20] |= 0x20 },
    Refusal(name: "IP header length too short") { bytes, _ in bytes[14] = 0x44 },
    Refusal(name: "IP header length beyond the frame") { bytes, _ in bytes.removeLast(bytes.count - 36) },
    Refusal(name: "IP length beyond the frame") { bytes, _ in bytes[16] = 0xff },
    Refusal(name: "TCP header length too short") { bytes, _ in bytes[46] = 0x40 },
    Refusal(name: "no payload") { bytes, _ in
      bytes.removeLast(bytes.count - 54)
      bytes[16] = 0
      bytes[17] = 40
    },
    Refusal(name: "not IP") { bytes, _ in bytes[12] = 9 },
    Refusal(name: "only an Ethernet header") { bytes, _ in bytes.removeLast(bytes.count - 14) },
    Refusal(name: "extension header beyond the frame", row: rows[9]) { bytes, _ in bytes[59] = 255 },
    Refusal(name: "IPv6 jumbogram", row: rows[8]) { bytes, _ in
      bytes[18] = 0
      bytes[19] = 0
    },
  ]

  @Test(arguments: refusals)
  func refused(refusal: Refusal) {
    var bytes = refusal.row.frame.bytes(isUnfinished: true)
    var offload = SuperFrameTests.offload(refusal.row)
    refusal.change(&bytes, &offload)
    #expect(SuperFrameTests.cut(bytes, offload, limit: refusal.limit) == nil)
  }

  /// Every cut-off and every bent byte either is refused or gives packets within the limit.
  @Test func bentFramesStayInside() {
    var random = SystemRandomNumberGenerator()
    for row in SuperFrameTests.rows where row.frame.payload.count < 4000 {
      let whole = row.frame.bytes(isUnfinished: true)
      for _ in 0..<2000 {
        var bytes = whole
        for _ in 0..<Int.random(in: 1...3, using: &random) {
          bytes[Int.random(in: 0..<min(90, bytes.count), using: &random)] = .random(in: 0...255, using: &random)
        }
        if Bool.random(using: &random) { bytes.removeLast(Int.random(in: 0..<bytes.count, using: &random)) }
        let pieces = SuperFrameTests.cut(bytes, SuperFrameTests.offload(row)) ?? []
        #expect(pieces.allSatisfy { $0.count <= 1792 })
      }
    }
  }
}
