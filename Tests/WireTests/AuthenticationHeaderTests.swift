import Testing
import Wire

@Suite struct AuthenticationHeaderTests {
  @Test func writes() {
    var bytes = [UInt8](repeating: 0xee, count: AuthenticationHeader.byteCount + 1)
    bytes.withUnsafeMutableBytes {
      AuthenticationHeader.write(
        to: $0.baseAddress!, nextHeader: IPProtocol.vrrp, securityIndex: 0x0a63_000b, sequence: 0x0102_0304)
    }
    #expect(bytes == [0x70, 4, 0, 0, 10, 99, 0, 11, 1, 2, 3, 4] + [UInt8](repeating: 0, count: 12) + [0xee])
  }

  @Test(arguments: [false, true]) func clearsWhatRoutersChange(timeToLive: Bool) {
    var bytes = [UInt8](1...20)
    bytes.withUnsafeMutableBytes {
      AuthenticationHeader.clearMutableFields(ofIPv4: $0.baseAddress!, clearsTimeToLive: timeToLive)
    }
    #expect(bytes == [1, 0, 3, 4, 5, 6, 0, 0, timeToLive ? 0 : 9, 10, 0, 0, 13, 14, 15, 16, 17, 18, 19, 20])
  }
}
