import Testing
import Wire

@testable import Lab

/// The probe's own fragments.
struct ShuffledDatagramTests {
  @Test(arguments: ["10.0.0.1", "fd00::1"]) func allOfItOutOfOrder(address: String) throws {
    let source = Endpoint(address: IPAddress(address)!, port: 40_000)
    let payload = (0..<8192).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    var random = SystemRandomNumberGenerator()
    let packets = ShuffledDatagram.packets(from: source, to: source, payload, identification: 7, using: &random)
    let isIPv4 = source.address.family == .ipv4
    #expect(packets.count == 6 && packets.allSatisfy { $0.count <= 1500 })
    let pieces = packets.map { packet in
      let word = Int(packet[isIPv4 ? 6 : 42]) << 8 | Int(packet[isIPv4 ? 7 : 43])
      return (
        offset: isIPv4 ? (word & 0x1fff) * 8 : word & 0xfff8, more: word & (isIPv4 ? 0x2000 : 1) != 0,
        bytes: Array(packet.dropFirst(isIPv4 ? 20 : 48))
      )
    }
    #expect(pieces.map(\.offset) != pieces.map(\.offset).sorted())
    let sorted = pieces.sorted { $0.offset < $1.offset }
    #expect(sorted.map(\.more) == [true, true, true, true, true, false])
    #expect(sorted.flatMap(\.bytes).dropFirst(8) == payload[...])
    for (piece, next) in zip(sorted, sorted.dropFirst()) { #expect(piece.offset + piece.bytes.count == next.offset) }
  }
}
