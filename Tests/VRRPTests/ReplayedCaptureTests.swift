import Testing
import Wire

@testable import VRRP

/// The backup of each recorded failover, in keepalived's place: it hears what that one heard, when it heard it, and must
/// send the same bytes at the same time.
@Suite struct ReplayedCaptureTests {
  /// Timers of keepalived fire up to that much late, and each starts from the one before. Where the master's link was cut,
  /// the recorded takeover came 48 ms after its time.
  private static func lateness(_ name: String) -> Microseconds { name == "v2_fault_two_prio0" ? 50_000 : 10_000 }

  @Test(arguments: ["v2_ah", "v2_fault_two_prio0", "v2_pass_failover", "v3_ipv4", "v3_ipv4_100ms"])
  func backupDoesTheSame(name: String) throws {
    let own = IPAddress("10.99.0.12")!
    var definition = RecordedAdvertTests.definition(of: name, source: own)
    definition.priority = 50
    let frames = try Capture(name).frames
    let first = try #require(frames.first { $0.advert != nil })
    var machine = InstanceMachine(definition)
    var sent: [(time: Microseconds, bytes: [UInt8])] = []
    var recorded: [(time: Microseconds, bytes: [UInt8])] = []
    let note = { (actions: [InstanceAction], now: Microseconds) in
      for case .send(let advert) in actions { sent.append((now, advert.bytes)) }
    }
    note(machine.handle(.start, at: first.microseconds), first.microseconds)
    for frame in frames {
      guard let advert = frame.advert else { continue }
      while let next = machine.nextMicroseconds, next <= frame.microseconds {
        note(machine.handle(.timer, at: next), next)
      }
      if RecordedAdvertTests.source(of: advert) != own {
        let actions = advert.withUnsafeBytes { bytes in
          Datagram(ipv4: bytes).map { machine.receive($0, at: frame.microseconds) } ?? []
        }
        note(actions, frame.microseconds)
        continue
      }
      recorded.append((frame.microseconds, advert))
      // Its end is not in the capture, only its last word.
      if RecordedAdvertTests.datagram(advert, { $0?.head.priority }) == 0 {
        note(machine.handle(.end(.stop), at: frame.microseconds), frame.microseconds)
      }
    }
    try #require(recorded.count >= 2)
    #expect(sent.map(\.bytes) == recorded.map(\.bytes))
    for (ours, theirs) in zip(sent, recorded) {
      #expect(ours.time <= theirs.time && theirs.time - ours.time < Self.lateness(name))
    }
  }
}
