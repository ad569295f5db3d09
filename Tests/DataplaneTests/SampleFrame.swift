/// Frames for tests, built byte by byte, independently of the code under test.
struct SampleFrame: Sendable {
  enum Transport: Sendable { case tcp, udp }

  var isIPv6 = false
  var transport = Transport.tcp
  var tags: [[UInt8]] = []
  var flags: UInt8 = 0x18
  var sequence: UInt32 = 1000
  var identification: UInt16 = 7
  var options: [UInt8] = []
  var networkOptions: [UInt8] = []
  var extensionHeaders: [UInt8] = []
  var firstNextHeader: UInt8?
  var payload: [UInt8] = []

  static func big(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 255)] }
  static func big(_ value: UInt32) -> [UInt8] { big(UInt16(value >> 16)) + big(UInt16(value & 0xffff)) }

  var ethernet: [UInt8] {
    [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1] + tags.flatMap { $0 } + (isIPv6 ? [0x86, 0xdd] : [8, 0])
  }

  var addresses: [UInt8] {
    isIPv6
      ? [0x20, 1, 0xd, 0xb8] + Array(repeating: 0, count: 11) + [1] + [0x20, 1, 0xd, 0xb8]
        + Array(repeating: 0, count: 11) + [2]
      : [10, 0, 0, 1, 10, 0, 0, 2]
  }

  var proto: UInt8 { transport == .tcp ? 6 : 17 }

  var transportBytes: [UInt8] {
    if transport == .udp {
      return SampleFrame.big(UInt16(1234)) + SampleFrame.big(UInt16(53))
        + SampleFrame.big(UInt16(truncatingIfNeeded: 8 + payload.count)) + [0, 0] + payload
    }
    let offset = UInt8((20 + options.count) / 4) << 4
    return SampleFrame.big(UInt16(1234)) + SampleFrame.big(UInt16(80)) + SampleFrame.big(sequence)
      + SampleFrame.big(UInt32(0x0102_0304)) + [offset, flags] + SampleFrame.big(UInt16(512)) + [0, 0, 0, 0] + options
      + payload
  }

  var checksumField: Int { transport == .tcp ? 16 : 6 }
  var networkHeader: [UInt8] {
    let rest = transportBytes.count
    if isIPv6 {
      return [0x60, 0, 0, 0] + SampleFrame.big(UInt16(rest + extensionHeaders.count)) + [firstNextHeader ?? proto, 64]
        + addresses + extensionHeaders
    }
    let count = 20 + networkOptions.count
    var header =
      [0x40 | UInt8(count / 4), 0] + SampleFrame.big(UInt16(count + rest)) + SampleFrame.big(identification)
      + [0x40, 0, 64, proto, 0, 0] + addresses + networkOptions
    let sum = SampleFrame.fold(header)
    (header[10], header[11]) = (UInt8(~sum >> 8), UInt8(~sum & 255))
    return header
  }

  var transportOffset: Int { ethernet.count + networkHeader.count }

  /// The whole frame, checksums complete, or with only the pseudo header's sum as a stack leaves it to a device.
  func bytes(isUnfinished: Bool = false) -> [UInt8] {
    var segment = transportBytes
    let pseudo = addresses + SampleFrame.big(UInt32(segment.count)) + [0, 0, 0, proto]
    let sum = isUnfinished ? SampleFrame.fold(pseudo) : ~SampleFrame.fold(pseudo + segment)
    (segment[checksumField], segment[checksumField + 1]) = (UInt8(sum >> 8), UInt8(sum & 255))
    return ethernet + networkHeader + segment
  }

  /// One's complement sum of big-endian words, the slow and obvious way.
  static func fold(_ bytes: [UInt8]) -> UInt16 {
    var sum = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
      sum += Int(bytes[index]) << 8 + (index + 1 < bytes.count ? Int(bytes[index + 1]) : 0)
    }
    while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
    return UInt16(sum)
  }
}
