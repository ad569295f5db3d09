import Foundation
import Testing

/// Every recorded case, frame by frame and listing by listing.
struct RecordedCaseTests {
  static let required = [
    "dr-tcp", "dr-udp", "dr-ttl", "dr-nosyn", "nat-tcp", "nat-udp", "nat-ttl", "nat-nosyn", "tun-tcp", "tun-udp",
    "tun-ttl",
    "tun-nosyn", "v6-dr-tcp", "v6-dr-udp", "v6-nat-tcp", "v6-nat-udp", "v6-tun-tcp", "v6-tun-udp", "v6-in-v4-ipip",
    "v4-in-v6-ipip", "noservice", "vip-not-local",
  ]

  @Test func recordingsAreThere() {
    let names = Set(RecordedCase.all.map(\.name))
    for name in RecordedCaseTests.required { #expect(names.contains(name), "\(name) is missing") }
  }

  @Test(arguments: RecordedCase.all) func framesAreThoseOfIPVS(recorded: RecordedCase) throws {
    let playback = try Playback(folder: recorded.folder)
    let comparison = CaptureComparison(
      given: try recorded.given(), sent: try recorded.sent(), transmitted: playback.transmitted, passed: playback.passed
    )
    #expect(comparison.differences() == [])
  }

  @Test(arguments: RecordedCase.all.filter(\.hasListings)) func listingsAreThoseOfIPVS(recorded: RecordedCase) throws {
    let playback = try Playback(folder: recorded.folder)
    let have = StateListing.parse(playback.state)
    #expect(StateListing.differences(want: try recorded.listings(), have: have) == [])
  }

  /// Same input, same bytes: nothing may depend on the time of day, an address in memory or the order of a dictionary.
  @Test(arguments: RecordedCase.all) func replayIsDeterministic(recorded: RecordedCase) throws {
    let first = try Playback(folder: recorded.folder)
    let second = try Playback(folder: recorded.folder)
    for (index, name) in ["out.pcap", "passed.pcap", "state.txt"].enumerated() {
      #expect(first.files[index] == second.files[index], "\(name) differs")
    }
  }
}
