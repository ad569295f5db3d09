import Testing
import Wire

@testable import VRRP

@Suite struct AnnouncementFrameTests {
  /// Every announcement that was recorded of keepalived: the same frames.
  @Test(arguments: Capture.names) func sendsTheSame(name: String) throws {
    var count = 0
    for frame in try Capture(name).frames {
      let address: IPAddress?
      if frame.type == 0x0806 {
        address = IPAddress(bytes: frame.bytes[28..<32])
      } else if frame.type == 0x86dd, frame.bytes[20] == 58, frame.bytes[54] == 136 {
        address = IPAddress(bytes: frame.bytes[62..<78])
      } else {
        continue
      }
      let isRouter = frame.type == 0x86dd && frame.bytes[58] & 0x80 != 0
      #expect(AnnouncementFrame.bytes(for: try #require(address), at: frame.source, isRouter: isRouter) == frame.bytes)
      count += 1
    }
    let hasNone = ["v2_ah", "v2_ah_unicast", "v2_fault_two_prio0", "v2_junk_silences_master", "v3_unicast_ttl64"]
    #expect(hasNone.contains(name) == (count == 0))
  }

  @Test func virtualHardware() throws {
    let frame = try #require(Capture("v2_vmac").frames.first { $0.type == 0x0806 })
    #expect(frame.source == VRRPAdvertisement.ethernetAddress(virtualRouter: 51, family: .ipv4))
  }
}
