/// Holds what a replay sent and passed against what ip_vs sent.
///
/// Frames are compared byte for byte but for what differs between two runs of ip_vs itself: the IP identification (and so
/// the header checksum) of packets the director originates, GUE's UDP source port, which is a hash of the inner flow,
/// and the IPv6 flow labels of encapsulations and of originated ICMPv6.
///
/// A frame that was left to the host is right when ip_vs left it to its host too. That shows in the recording as the
/// host's own doing: nothing, a reset, an ICMP answer, or the frame plainly forwarded.
struct CaptureComparison {
  let given: [CapturedFrame]
  let sent: [CapturedFrame]
  let transmitted: [CapturedFrame]
  let passed: [CapturedFrame]

  /// A line for each input that something else became of; none when all is as recorded.
  func differences() -> [String] {
    let (sent, transmitted) = (CapturedFrame.byInput(sent), CapturedFrame.byInput(transmitted))
    let passed = CapturedFrame.byInput(passed)
    let known = Set(given.indices)
    var lines = stampDifferences()
    for input in Set(transmitted.keys).union(passed.keys).subtracting(known).sorted() {
      lines.append("input \(input): there is none, yet it has output")
    }
    for (input, frame) in given.enumerated() {
      let want = (sent[input] ?? []).map { CaptureComparison.mask($0.bytes) }
      let have = (transmitted[input] ?? []).map { CaptureComparison.mask($0.bytes) }
      if let left = passed[input] {
        if !have.isEmpty { lines.append("input \(input): passed to the host and sent as well") }
        if left.map(\.bytes) != [frame.bytes] { lines.append("input \(input): passed to the host, but changed") }
        for answer in want where !CaptureComparison.isHostAnswer(answer, to: frame.bytes) {
          lines.append("input \(input): passed to the host, ip_vs sent \(CaptureComparison.hex(answer))")
        }
      } else if want != have {
        lines.append(
          "input \(input): want \(want.map(CaptureComparison.hex)), got \(have.map(CaptureComparison.hex))")
      }
    }
    return lines
  }

  /// The j-th output of input k is stamped k s + (j + 1) ms (one that a timer caused: from k.5 s on); a passed one k s. The recordings
  /// are a microsecond out here and there.
  private func stampDifferences() -> [String] {
    var lines: [String] = []
    for (input, frames) in CapturedFrame.byInput(transmitted).sorted(by: { $0.key < $1.key }) {
      for (position, frame) in frames.enumerated() {
        let rest = Int(frame.nanoseconds % 1_000_000_000)
        if rest < 500_000_000 && abs(rest - (position + 1) * 1_000_000) > 1000 {
          lines.append("input \(input): output \(position) is stamped \(rest) ns past the second")
        }
      }
    }
    for frame in passed where frame.nanoseconds % 1_000_000_000 != 0 {
      lines.append("input \(frame.input): passed to the host with a stamp between two seconds")
    }
    return lines
  }

  private static func hex(_ bytes: [UInt8]) -> String {
    bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
  }
}

// MARK: - Masks

extension CaptureComparison {
  private static let ipv4: [UInt8] = [0x08, 0x00]
  private static let ipv6: [UInt8] = [0x86, 0xdd]
  /// UDP port 6080.
  private static let guePort: [UInt8] = [0x17, 0xc0]
  private static let directorAddresses: Set<[UInt8]> = [
    [10, 1, 0, 1], [10, 2, 0, 1], [10, 1, 0, 100], [10, 1, 0, 101], [10, 1, 0, 102], [10, 1, 0, 103],
  ]
  private static let serverSideAddress: [UInt8] = [10, 2, 0, 1]

  /// The frame with everything zeroed that differs between two runs of ip_vs.
  static func mask(_ frame: [UInt8]) -> [UInt8] {
    switch frame.part(12..<14) {
    case ipv4 where frame.count >= 34: maskIPv4(frame)
    case ipv6 where frame.count >= 54: maskIPv6(frame)
    default: frame
    }
  }

  private static func maskIPv4(_ original: [UInt8]) -> [UInt8] {
    var frame = original
    let transport = 14 + Int(frame[14] & 15) * 4
    let number = frame[23]
    let source = frame.part(26..<30)
    // Of the fragments only the first shows ports.
    let isLaterFragment = frame[20] & 0x1f != 0 || frame[21] != 0
    let isToGUEPort = frame.part(transport + 2..<transport + 4) == guePort
    let isGUE = number == 17 && (isToGUEPort || isLaterFragment && source == serverSideAddress)
    if directorAddresses.contains(source) && ([1, 4, 41, 47].contains(number) || isGUE) {
      frame.zero(18..<20)
      frame.zero(24..<26)
    }
    if number == 17 && !isLaterFragment && isToGUEPort && frame.count >= transport + 8 {
      frame.zero(transport..<transport + 2)
      frame.reduceToPresence(transport + 6..<transport + 8)
    }
    return frame
  }

  private static func maskIPv6(_ original: [UInt8]) -> [UInt8] {
    var frame = original
    let next = frame[20]
    if next == 58 || frame.part(22..<26) == [0xfd, 0, 0, 2] {
      frame[15] &= 0xf0
      frame.zero(16..<18)
    }
    if next == 17 && frame.part(56..<58) == guePort {
      frame.zero(54..<56)
      frame.reduceToPresence(60..<62)
    }
    // The identification in a fragment header.
    if next == 44 { frame.zero(58..<62) }
    return frame
  }

  /// True for what the host's own stack could have made of `given`: a reset, an ICMP answer, a plain forward.
  static func isHostAnswer(_ frame: [UInt8], to given: [UInt8]) -> Bool {
    let reset: UInt8 = 4
    switch frame.part(12..<14) {
    case ipv4 where frame.count >= 34:
      let transport = 14 + Int(frame[14] & 15) * 4
      if frame[23] == 6, let flags = frame.part(transport + 13..<transport + 14).first, flags & reset != 0 {
        return true
      }
      if frame[23] == 1, let type = frame.part(transport..<transport + 1).first, [0, 3, 11].contains(type) {
        return true
      }
      return frame.part(26..<34) == given.part(26..<34)
    case ipv6 where frame.count >= 54:
      if frame[20] == 58 { return true }
      if frame[20] == 6, let flags = frame.part(67..<68).first, flags & reset != 0 { return true }
      return frame.part(22..<54) == given.part(22..<54)
    default: return true
    }
  }
}

extension [UInt8] {
  /// The bytes of the range that exist.
  func part(_ range: Range<Int>) -> [UInt8] { Array(self[range.clamped(to: indices)]) }

  /// Zeroes the bytes of the range that exist.
  mutating func zero(_ range: Range<Int>) {
    for index in range.clamped(to: indices) { self[index] = 0 }
  }

  /// A checksum over bytes that are masked says no more than whether there is one.
  mutating func reduceToPresence(_ range: Range<Int>) {
    let isPresent = part(range).contains { $0 != 0 }
    zero(range)
    if isPresent, let last = range.clamped(to: indices).last { self[last] = 1 }
  }
}
