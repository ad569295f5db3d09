import Wire

/// The frames of the recorded session's traffic.
enum TranscriptTraffic {
  private static let client = IPAddress(v4: 0xac10_0101)
  private static let virtual = IPAddress(v4: 0x0a01_0064)

  private static func frame(to station: EthernetAddress) -> FrameBuilder {
    FrameBuilder(from: EthernetAddress(0x02_0000_0001_fe), to: station).ip(from: client, to: virtual)
  }

  /// Twelve TCP connections, each with a SYN and a segment of 100 bytes, then three datagrams of 16 bytes.
  static func frames(to station: EthernetAddress) -> [[UInt8]] {
    let tcp = (UInt16(1000)..<1012).flatMap { port in
      [
        frame(to: station).tcp(from: port, to: 80, flags: 0x02).frame,
        frame(to: station).tcp(from: port, to: 80, flags: 0x10, acknowledgement: 5001)
          .payload([UInt8](repeating: 7, count: 100)).frame,
      ]
    }
    let udp = (UInt16(1000)..<1003).map { port in
      frame(to: station).udp(from: port, to: 53).payload([UInt8](repeating: 7, count: 16)).frame
    }
    return tcp + udp
  }
}
