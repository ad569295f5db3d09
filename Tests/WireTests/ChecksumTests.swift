import Testing

@testable import Wire

struct ChecksumTests {
  /// The definition, two bytes at a time: what every other way must give.
  static func plain(_ bytes: [UInt8]) -> UInt16 {
    var sum: UInt64 = 0
    for index in stride(from: 0, to: bytes.count, by: 2) {
      sum += UInt64(bytes[index]) << 8 | (index + 1 < bytes.count ? UInt64(bytes[index + 1]) : 0)
    }
    while sum > 0xffff { sum = (sum & 0xffff) + (sum >> 16) }
    return ~UInt16(sum)
  }

  static func fast(_ bytes: [UInt8]) -> UInt16 {
    var sum = Checksum()
    bytes.withUnsafeBytes { sum.add($0) }
    return UInt16(bigEndian: sum.value)
  }

  static let rows: [(String, [UInt8], UInt16)] = [
    ("RFC 1071 section 3", [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7], ~0xddf2),
    ("nothing", [], 0xffff),
    ("zeros", [0, 0, 0, 0], 0xffff),
    ("ones", [0xff, 0xff, 0xff, 0xff], 0),
    ("odd", [0x12], ~0x1200),
    (
      "IPv4 header",
      [0x45, 0, 0, 0x73, 0, 0, 0x40, 0, 0x40, 0x11, 0, 0, 0xc0, 0xa8, 0, 1, 0xc0, 0xa8, 0, 0xc7], 0xb861
    ),
  ]

  @Test(arguments: rows) func known(name: String, bytes: [UInt8], value: UInt16) {
    #expect(ChecksumTests.fast(bytes) == value)
    #expect(ChecksumTests.plain(bytes) == value)
  }

  @Test func anyLengthAndAlignment() {
    var generator = SystemRandomNumberGenerator()
    for length in 0..<200 {
      let bytes = (0..<length + 3).map { _ in UInt8.random(in: 0...255, using: &generator) }
      for start in 0...3 {
        var sum = Checksum()
        bytes.withUnsafeBytes { sum.add(UnsafeRawBufferPointer(rebasing: $0[start..<start + length])) }
        #expect(UInt16(bigEndian: sum.value) == ChecksumTests.plain(Array(bytes[start..<start + length])))
      }
    }
    let long = [UInt8](repeating: 0xff, count: 65536)
    #expect(ChecksumTests.fast(long) == 0)
  }

  @Test func piecesAddUp() {
    let bytes = (0..<64).map { UInt8($0 &* 37 & 255) }
    var sum = Checksum()
    for piece in [0..<2, 2..<14, 14..<63] {
      bytes.withUnsafeBytes { sum.add(UnsafeRawBufferPointer(rebasing: $0[piece])) }
    }
    #expect(UInt16(bigEndian: sum.value) == ChecksumTests.plain(Array(bytes[..<63])))
  }

  @Test func pseudoHeaders() {
    let addresses = (0..<32).map { UInt8($0 + 200) }
    var four = Checksum()
    var six = Checksum()
    addresses.withUnsafeBytes {
      four.addPseudoHeader4(addresses: $0.baseAddress!, protocolNumber: 6, byteCount: 1234)
      six.addPseudoHeader6(addresses: $0.baseAddress!, protocolNumber: 58, byteCount: 70000)
    }
    #expect(UInt16(bigEndian: four.value) == ChecksumTests.plain(Array(addresses[..<8]) + [0, 6, 0x04, 0xd2]))
    #expect(
      UInt16(bigEndian: six.value) == ChecksumTests.plain(addresses + [0, 1, 0x11, 0x70, 0, 0, 0, 58]))
  }

  @Test func udpNeverWritesZero() {
    var sum = Checksum()
    sum.add(0xffff)
    #expect(sum.value == 0 && sum.udpValue == 0xffff)
    sum.add(1)
    #expect(sum.value == sum.udpValue)
  }
}

struct ChecksumDeltaTests {
  @Test func exampleOfRFC1624() {
    var delta = ChecksumDelta()
    delta.replace16(UInt16(0x5555).bigEndian, with: UInt16(0x3285).bigEndian)
    #expect(delta.apply(to: UInt16(0xdd2f).bigEndian) == 0)
  }

  static let edges: [UInt16] = [0, 1, 0x00ff, 0x0100, 0x7fff, 0x8000, 0xff00, 0xfffe, 0xffff]

  /// Every combination of edge words: a correction equals computing anew, whichever zero the header had.
  @Test func edgeWordsMatchFullComputation() {
    for old in ChecksumDeltaTests.edges {
      for new in ChecksumDeltaTests.edges {
        for other in ChecksumDeltaTests.edges {
          // The constant keeps the covered bytes from being all zeros, as in every real header.
          let before = ChecksumTests.words([old, other, 0x4500])
          let after = ChecksumTests.words([new, other, 0x4500])
          var delta = ChecksumDelta()
          delta.replace16(old.bigEndian, with: new.bigEndian)
          let corrected = UInt16(bigEndian: delta.apply(to: ChecksumTests.plain(before).bigEndian))
          #expect(corrected == ChecksumTests.plain(after), "\(old) \(new) \(other)")
          let kept = ChecksumDelta(folded: delta.folded)
          #expect(kept.apply(to: ChecksumTests.plain(before).bigEndian) == corrected.bigEndian)
        }
      }
    }
  }

  @Test func aSendersOtherZeroBecomesZero() {
    for old in ChecksumDeltaTests.edges {
      var delta = ChecksumDelta()
      delta.replace16(old, with: old)
      #expect(delta.apply(to: 0xffff) == 0)
      #expect(delta.apply(to: 0) == 0)
      #expect(delta.applyUDP(to: 0xffff) == 0xffff)
    }
    var vanishing = ChecksumDelta()
    vanishing.replace(0xffff_ffff, with: 0)
    #expect(vanishing.apply(to: 0xffff) == 0)
    #expect(ChecksumDelta().apply(to: 0x1234) == 0x1234)
  }

  @Test func randomChangesMatchFullComputation() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<4000 {
      let sparse = Bool.random(using: &generator)
      var bytes = (0..<64).map { _ -> UInt8 in
        sparse ? [0, 0xff].randomElement(using: &generator)! : .random(in: 0...255, using: &generator)
      }
      bytes[60] = 0x45
      let before = ChecksumTests.plain(bytes).bigEndian
      let new = (0..<22).map { _ -> UInt8 in
        sparse ? [0, 0xff].randomElement(using: &generator)! : .random(in: 0...255, using: &generator)
      }
      var delta = ChecksumDelta()
      bytes.withUnsafeBytes { old in
        new.withUnsafeBytes { new in
          delta.replace(
            (old.load(as: UInt64.self), old.load(fromByteOffset: 8, as: UInt64.self)),
            with: (new.load(as: UInt64.self), new.load(fromByteOffset: 8, as: UInt64.self)))
          delta.replace(
            old.load(fromByteOffset: 16, as: UInt32.self), with: new.load(fromByteOffset: 16, as: UInt32.self))
          delta.replace16(
            old.load(fromByteOffset: 20, as: UInt16.self), with: new.load(fromByteOffset: 20, as: UInt16.self))
        }
      }
      bytes.replaceSubrange(0..<22, with: new)
      #expect(delta.apply(to: before) == ChecksumTests.plain(bytes).bigEndian)
    }
  }
}

extension ChecksumTests {
  static func words(_ words: [UInt16]) -> [UInt8] { words.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] } }
}
