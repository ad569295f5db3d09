import Testing
import Wire

@testable import Config

struct AdminRequestTests {
  static let sample: AdminRequest = {
    var request = AdminRequest()
    request.arguments = ["-A", "-t", "www:http", "", "häuser\u{0}"]
    request.names.hosts = ["www": IPAddress("10.0.0.1")!, "six": IPAddress("fd00::1")!]
    request.names.ports = [.init(name: "http", transport: .tcp): 80, .init(name: "domain", transport: .udp): 53]
    request.input = Array("-C\n".utf8)
    request.takesMarks = true
    return request
  }()

  @Test func survivesTheSocket() throws {
    for request in [AdminRequestTests.sample, AdminRequest()] {
      let frame = AdminFrame.encode(.request, request.encoded())
      let header = try AdminFrame(header: frame[..<8])
      #expect(header.kind == .request && header.byteCount == frame.count - 8)
      #expect(try AdminRequest(decoding: frame[8...]) == request)
    }
  }

  @Test(arguments: [
    ("GET / HT", "this is not lbd's protocol"), ("LB", "this is not lbd's protocol"),
    ("LB\u{7}\u{1}\0\0\0\0", "version 7 of the protocol is asked for, this is version 1"),
    ("LB\u{1}\u{9}\0\0\0\0", "frames of kind 9 are not known"),
  ])
  func headersAreChecked(text: String, message: String) {
    #expect(throws: AdminFault(message)) { try AdminFrame(header: Array(text.utf8)[...]) }
  }

  /// Every shorter request is refused, and so is one with more than belongs to it.
  @Test func lengthsAreChecked() {
    let bytes = AdminRequestTests.sample.encoded()
    for count in 0..<bytes.count {
      #expect(throws: AdminFault.self) { try AdminRequest(decoding: bytes[..<count]) }
    }
    #expect(throws: AdminFault("bytes are left over")) { try AdminRequest(decoding: (bytes + [0])[...]) }
  }

  @Test(
    arguments: [
      [0, 0xff, 0xff, 0xff, 0xff], [0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff],
      [0, 0x10, 0, 0, 0] + [UInt8](repeating: 0, count: 64),
    ] as [[UInt8]])
  func countsThatCannotBeTrueCostNothing(bytes: [UInt8]) {
    #expect(throws: AdminFault("the request is cut short")) { try AdminRequest(decoding: bytes[...]) }
  }

  /// Whatever comes is read or refused; what is read is a request that can be sent again.
  @Test(arguments: 0..<20)
  func survivesNonsense(seed: Int) throws {
    var random = RandomSource(state: UInt64(seed))
    let bytes = AdminRequestTests.sample.encoded()
    for _ in 0..<500 {
      var mutant = bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        mutant[Int.random(in: 0..<mutant.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      guard let request = try? AdminRequest(decoding: mutant[...]) else { continue }
      #expect(try AdminRequest(decoding: request.encoded()[...]) == request, "seed \(seed)")
      _ = IpvsadmCommand.parse(request.arguments, names: request.names)
      _ = IpvsadmNames.wanted(in: request.arguments)
    }
  }
}
