import Glibc
import Testing
import Wire

@testable import Dataplane

/// Errors that quote nonsense, through the whole pipeline: whatever is sent on is well-formed and goes to a party of the
/// connection, and nothing depends on what happens to lie behind the frame.
///
/// `LBD_FUZZ_FRAMES` sets how many frames, `LBD_FUZZ_SEED` which; the seed is printed.
@Suite struct ErrorFuzzTests {
  static func setting(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

  private static func good(_ service: TestService, local: UInt16) -> [(frame: [UInt8], interface: Int)] {
    let answer = ErrorRelayTests.answer(service)
    let isFull = service.method == .fullNAT
    let family = service.serverFamily ?? service.family
    let near = isFull ? Network.local(family) : Network.client(family)
    let question = TestPacket(
      source: near, destination: Network.server(family, 0), sourcePort: isFull ? local : 40_000,
      destinationPort: service.targetPort, transport: service.transport, payload: [1, 2, 3])
    var frames: [(frame: [UInt8], interface: Int)] = []
    for count in [4, 8, 20, 60] {
      for options in [false, true] {
        func dress(_ packet: TestPacket) -> TestPacket {
          packet.with {
            guard options else { return }
            $0.options = [7, 7, 4, 0, 0, 0, 0, 1]
            $0.extensions = [(0, [0, 1, 4, 0, 0, 0, 0]), (44, [0, 0, 1, 0, 0, 0, 1])]
          }
        }
        let client = ErrorRelayTests.fromClient(service).with { ($0.count, $0.quoted) = (count, dress(answer)) }
        frames.append((client.frame(from: Network.router, to: Network.outside), 0))
        let server = ErrorRelayTests.Message(
          source: Network.server(family, 0), destination: near, quoted: dress(question), count: count)
        frames.append((server.frame(from: Network.station(0), to: Network.inside), 1))
      }
    }
    return frames
  }

  /// Cuts, stretches, or flips; then, mostly, makes the outer checksums right again so that the quote is looked at.
  static func bend(_ frame: inout [UInt8], _ random: inout SplitMix) {
    let isV4 = frame[12] == 8
    let message = isV4 ? 34 : 54
    for _ in 0...random.next(below: 3) {
      let quote = message + 8
      switch random.next(below: 6) {
      case 0: frame.removeLast(random.next(below: max(frame.count - message - 8, 1)))
      case 1: frame += (0..<random.next(below: 100)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      case 2 where frame.count > quote: frame[quote] = UInt8(truncatingIfNeeded: random.next())
      case 3: frame[message] = random.pick([0, 1, 2, 3, 4, 5, 8, 11, 12, 100, 128])
      case 4 where frame.count > quote + 48:
        frame[quote + (isV4 ? 9 : 6)] = random.pick([0, 1, 6, 17, 43, 44, 51, 60, 132])
      default:
        guard frame.count > quote else { break }
        let bit = random.next(below: (frame.count - quote) * 8)
        frame[quote + bit / 8] ^= 1 << UInt8(bit % 8)
      }
    }
    guard random.next(below: 8) != 0 else { return }
    let size = frame.count - message
    var sum = Checksum()
    frame[message + 2] = 0
    frame[message + 3] = 0
    frame.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      if isV4 {
        base.storeBigEndian16(UInt16(size + 20), at: 16)
        WorkerState.finishIPv4Header(base + 14, byteCount: 20)
      } else {
        base.storeBigEndian16(UInt16(size), at: 18)
        sum.addPseudoHeader6(addresses: base + 22, protocolNumber: 58, byteCount: size)
      }
      sum.add(UnsafeRawBufferPointer(rebasing: bytes[message...]))
      base.storeBytes(of: sum.value, toByteOffset: message + 2, as: UInt16.self)
    }
  }

  private static func isErrorChecksumRight(_ frame: [UInt8]) -> Bool {
    let isV4 = frame[12] == 8
    let message = isV4 ? 34 : 54
    var sum = Checksum()
    frame.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return }
      if !isV4 {
        sum.addPseudoHeader6(addresses: base + 22, protocolNumber: 58, byteCount: frame.count - message)
      }
      sum.add(UnsafeRawBufferPointer(rebasing: bytes[message...]))
    }
    return sum.folded == 0xffff
  }

  static let services = ErrorRelayTests.services + WideFullNATTests.services

  @Test(arguments: services)
  func bentQuotes(service: TestService) throws {
    let count = Int(Self.setting("LBD_FUZZ_FRAMES") ?? 40_000) / Self.services.count
    let seed = Self.setting("LBD_FUZZ_SEED") ?? UInt64.random(in: 0...UInt64(UInt32.max))
    print("fuzz seed \(seed), \(count) frames")
    var random = SplitMix(seed: seed)
    let director = try Director(service)
    let twin = try Director(service)
    for other in [director, twin] {
      other.settings.schedulesICMP = true
      other.publish()
      _ = other.fromClient(.request(service))
    }
    let corpus = Self.good(service, local: director.listed.first?.local?.port ?? 0)
    // What lies in the twin's frame memory from before.
    let dirt = [UInt8](repeating: 0xff, count: 400)
    for round in 0..<count {
      var (frame, interface) = random.pick(corpus)
      Self.bend(&frame, &random)
      if round % 64 == 0 { _ = twin.send([[UInt8]](repeating: dirt, count: 64)) }
      let journey = director.send([frame], interface: interface)[0]
      let what = "seed \(seed): \(journey) of \(frame)"
      try #require(twin.send([frame], interface: interface)[0].outcome == journey.outcome, "\(what)")
      for sent in journey.sent {
        try #require(FuzzTests.fault(sent.bytes) == nil, "\(what)")
        try #require(sent.interface == (journey.outcome == .errorToServer ? 1 : 0), "\(what)")
        let receiver = journey.outcome == .errorToServer ? Network.station(0) : Network.router
        try #require(Array(sent.bytes.prefix(6)) == receiver.bytes, "\(what)")
        let isTranslated = service.method == .masquerading || service.method == .fullNAT
        if isTranslated { try #require(Self.isErrorChecksumRight(sent.bytes), "\(what)") }
      }
      try #require(journey.outcome.isForwarded == !journey.sent.isEmpty, "\(what)")
    }
    let statistics = director.dataplane.statistics()
    #expect((statistics.outcomes[.errorToServer] ?? 0) > UInt64(count / 50), "\(statistics)")
    director.verifyEmptyAfterExpiry()
  }
}
