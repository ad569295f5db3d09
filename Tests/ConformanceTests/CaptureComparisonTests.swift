import Testing

/// A comparison that cannot fail proves nothing: every kind of difference is seen, and nothing but the masks is forgiven.
struct CaptureComparisonTests {
  static let recorded = RecordedCase(name: "tun-tcp")

  private func comparison(_ bend: (inout [CapturedFrame]) -> Void) throws -> CaptureComparison {
    let sent = try CaptureComparisonTests.recorded.sent()
    var bent = sent
    bend(&bent)
    return CaptureComparison(
      given: try CaptureComparisonTests.recorded.given(), sent: sent, transmitted: bent, passed: [])
  }

  @Test func recordingEqualsItself() throws { #expect(try comparison { _ in }.differences() == []) }

  @Test func everyByteCounts() throws {
    let length = try CaptureComparisonTests.recorded.sent()[0].bytes.count
    // Identification and header checksum of the outer header, which the director originates.
    let masked: Set<Int> = [18, 19, 24, 25]
    for index in 0..<length {
      let count = try comparison { $0[0].bytes[index] ^= 0x80 }.differences().count
      #expect(count == (masked.contains(index) ? 0 : 1), "byte \(index)")
    }
  }

  @Test func missingAndExtraFramesAreSeen() throws {
    #expect(try comparison { $0.removeFirst() }.differences().count == 1)
    #expect(try comparison { $0.insert($0[0], at: 0) }.differences().contains { $0.hasPrefix("input 0: want") })
    #expect(try comparison { $0[0].nanoseconds += 1_000_000 }.differences().count == 1)
    #expect(
      try comparison { $0.append(CapturedFrame(bytes: [1], nanoseconds: 99_001_000_000)) }.differences().count == 1)
  }

  @Test func forwardedFrameMayNotBePassed() throws {
    let recorded = CaptureComparisonTests.recorded
    let (given, sent) = (try recorded.given(), try recorded.sent())
    let comparison = CaptureComparison(given: given, sent: sent, transmitted: [], passed: given)
    #expect(comparison.differences().count == Set(sent.map(\.input)).count)
  }

  /// What the host answers: (name, frame, true when the host could have sent it).
  static let answers: [(name: String, frame: [UInt8], isHost: Bool)] = {
    let addresses: [UInt8] = [10, 1, 0, 100, 172, 16, 1, 1]
    func packet(_ number: UInt8, _ transport: [UInt8], _ addresses: [UInt8]) -> [UInt8] {
      [UInt8](repeating: 2, count: 12) + [8, 0, 0x45, 0, 0, 40, 0, 0, 0, 0, 64, number, 0, 0] + addresses + transport
    }
    func tcp(_ flags: UInt8) -> [UInt8] { [UInt8](repeating: 0, count: 13) + [flags] + [UInt8](repeating: 0, count: 6) }
    return [
      ("reset", packet(6, tcp(0x14), addresses), true),
      ("acknowledgement", packet(6, tcp(0x10), addresses), false),
      ("echo reply", packet(1, [0, 0], addresses), true),
      ("port unreachable", packet(1, [3, 3], addresses), true),
      ("time exceeded", packet(1, [11, 0], addresses), true),
      ("redirect", packet(1, [5, 0], addresses), false),
      ("plain forward", packet(17, [], [172, 16, 1, 1, 10, 1, 0, 100]), true),
      ("ICMP cut off", packet(1, [], addresses), false),
    ]
  }()

  @Test(arguments: answers.indices) func hostAnswerIsRecognised(row: Int) {
    let (name, frame, isHost) = CaptureComparisonTests.answers[row]
    let given = [UInt8](repeating: 0, count: 26) + [172, 16, 1, 1, 10, 1, 0, 100]
    #expect(CaptureComparison.isHostAnswer(frame, to: given) == isHost, "\(name)")
  }
}
