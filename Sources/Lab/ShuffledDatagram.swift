import Glibc
import Wire

/// A UDP datagram whose fragments a probe makes itself, to send them in any order: the kernel sends its own in order.
struct ShuffledDatagram {
  private static let pieceByteCount = 1448

  /// The fragments as IP packets, in an order drawn by `random`; never the one of their offsets.
  static func packets(
    from source: Endpoint, to destination: Endpoint, _ payload: [UInt8], identification: UInt32,
    using random: inout some RandomNumberGenerator
  ) -> [[UInt8]] {
    let isIPv4 = source.address.family == .ipv4
    let whole = FrameBuilder().ip(from: source.address, to: destination.address)
      .udp(from: source.port, to: destination.port).payload(payload).packet
    let data = Array(whole.dropFirst(isIPv4 ? 20 : 40))
    let offsets = Array(stride(from: 0, to: data.count, by: pieceByteCount))
    var order = offsets
    repeat { order.shuffle(using: &random) } while offsets.count > 1 && order == offsets
    return order.map { offset in
      let piece = Array(data[offset..<min(offset + pieceByteCount, data.count)])
      let more = offset + pieceByteCount < data.count
      let builder =
        isIPv4
        ? FrameBuilder().ipv4(
          from: source.address, to: destination.address, identification: UInt16(truncatingIfNeeded: identification),
          fragment: UInt16(offset / 8) | (more ? 0x2000 : 0), protocolNumber: IPProtocol.udp)
        : FrameBuilder().ipv6(
          from: source.address, to: destination.address,
          extensions: [(IPProtocol.fragment, fragmentHeader(offset, more: more, identification))],
          protocolNumber: IPProtocol.udp)
      return builder.payload(piece).packet
    }
  }

  /// Without its first byte, which says what follows.
  private static func fragmentHeader(_ offset: Int, more: Bool, _ identification: UInt32) -> [UInt8] {
    let place = UInt16(truncatingIfNeeded: offset) | (more ? 1 : 0)
    let words = [UInt32(place), identification].flatMap { word in
      [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> UInt32($0)) }
    }
    return [0] + words.dropFirst(2)
  }

  /// Sends packets as they are; only who may open raw sockets can.
  static func send(_ packets: [[UInt8]], to destination: IPAddress) throws {
    let domain = destination.family == .ipv4 ? AF_INET : AF_INET6
    let handle = socket(domain, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Int32(IPPROTO_RAW))
    guard handle >= 0 else { throw UDPEcho.failure("open a raw socket") }
    defer { close(handle) }
    let address = SocketAddress(Endpoint(address: destination, port: 0))
    for packet in packets {
      let sent = address.withPointer { sendto(handle, packet, packet.count, 0, $0, $1) }
      guard sent == packet.count else { throw UDPEcho.failure("send a fragment") }
    }
  }
}
