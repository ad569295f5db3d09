import Testing
import Wire

@testable import Dataplane

/// SCTP through the director: states by chunk, and the check over the whole packet.
struct SCTPTests {
  private let service = TestService(method: .masquerading, transport: .sctp, port: 3868)

  /// A packet with one chunk of four bytes and something behind it.
  private func packet(
    _ type: UInt8, from source: IPAddress, _ sourcePort: UInt16, to destination: IPAddress, _ destinationPort: UInt16,
    then next: [UInt8] = []
  ) -> [UInt8] {
    func big(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 0xff)] }
    var bytes = big(sourcePort) + big(destinationPort) + [0, 0, 0, 9, 0, 0, 0, 0] + [type, 0, 0, 4] + next
    let sum = bytes.withUnsafeBytes { CRC32C.sctp($0) }
    for index in 0..<4 { bytes[8 + index] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * index)) }
    return bytes
  }

  private func frame(_ bytes: [UInt8], client: Bool) -> [UInt8] {
    let ends =
      client
      ? (Network.client(.ipv4), Network.virtual(.ipv4)) : (Network.server(.ipv4, 0), Network.client(.ipv4))
    let builder = FrameBuilder(
      from: client ? Network.router : Network.station(0), to: client ? Network.outside : Network.inside)
    return builder.ipv4(from: ends.0, to: ends.1, protocolNumber: 132).payload(bytes).frame
  }

  private func request(_ type: UInt8, then next: [UInt8] = []) -> [UInt8] {
    frame(
      packet(type, from: Network.client(.ipv4), 40_000, to: Network.virtual(.ipv4), service.port, then: next),
      client: true)
  }

  private func reply(_ type: UInt8) -> [UInt8] {
    frame(
      packet(type, from: Network.server(.ipv4, 0), service.targetPort, to: Network.client(.ipv4), 40_000),
      client: false)
  }

  /// True when the check at the end of the journey is right.
  private func isSound(_ sent: Sent) -> Bool {
    let bytes = Array(sent.bytes[34...])
    let sum = bytes.withUnsafeBytes { CRC32C.sctp($0) }
    return (0..<4).allSatisfy { bytes[8 + $0] == UInt8(truncatingIfNeeded: sum >> UInt32(8 * $0)) }
  }

  /// "123456789", the check value of CRC-32C, in a packet whose field lies behind it.
  @Test func check() {
    // RFC 9260 appendix A: an INIT-like packet computed by hand would prove nothing; the polynomial's own test does.
    let bytes = [UInt8](repeating: 0, count: 32)
    let sum = bytes.withUnsafeBytes { CRC32C.sctp($0) }
    #expect(sum == 0x8a91_36aa, "32 zeros (RFC 3720 appendix B.4)")
  }

  @Test func associationFromEndToEnd() throws {
    let director = try Director(service)
    var states: [String] = []
    let steps: [(frame: [UInt8], interface: Int)] = [
      (request(1), 0), (reply(2), 1), (request(10), 0), (reply(11), 1), (request(0), 0), (reply(7), 1), (request(8), 0),
      (reply(14), 1),
    ]
    for step in steps {
      let journey = director.send([step.frame], interface: step.interface)[0]
      #expect(journey.outcome == (step.interface == 0 ? .masqueradeRequest : .masqueradeReply))
      #expect(journey.sent.count == 1 && journey.sent.allSatisfy(isSound))
      states.append(director.listed.first?.stateName ?? "none")
      if states.count == 5 { #expect(director.connections() == [1, 0], "established is active") }
    }
    #expect(
      states == ["INIT1", "C-SENT", "C-REPLIED", "ESTABLISHED", "ESTABLISHED", "S-SENT", "CLOSED", "CLOSED"])
    #expect(director.connections() == [0, 1])
    director.verifyEmptyAfterExpiry()
  }

  @Test func onlyInitOpens() throws {
    let director = try Director(service)
    #expect(director.send([request(0)])[0].outcome == .noConnection)
    director.settings.isSloppySCTP = true
    director.publish()
    #expect(director.send([request(6)])[0].outcome == .noConnection, "an ABORT never does")
    #expect(director.send([request(0)])[0].outcome == .masqueradeRequest)
  }

  /// COOKIE ECHO with an ABORT behind it is an ABORT.
  @Test func abortBehindACookie() throws {
    let director = try Director(service)
    _ = director.send([request(1)])
    _ = director.send([request(10, then: [6, 0, 0, 4])])
    #expect(director.listed.first?.stateName == "CLOSED")
  }
}
