import Foundation
import Glibc
import NIOPosix
import NIOSSL
import Testing

@testable import HealthCheck

@Suite struct GenHashTests {
  private static let genhash = ["/usr/bin/genhash", "/usr/sbin/genhash"].first(
    where: FileManager.default.isExecutableFile(atPath:))

  private static func page(
    _ answer: [UInt8], tls: NIOSSLContext? = nil, _ change: (inout GenHash) -> Void = { _ in }
  ) async throws -> (page: GenHash.Page, request: String) {
    let server = try await ScriptedServer(tls: tls, [.hear("\r\n\r\n"), .send(answer), .close])
    var generator = GenHash(path: "/a", at: CheckTarget(server.endpoint))
    change(&generator)
    let page = try await generator.fetch(on: MultiThreadedEventLoopGroup.singleton.next()).get()
    let request = server.request
    try await server.stop()
    return (page, request)
  }

  @Test func theDigestAndWhatItIsOf() async throws {
    let answer = Array("HTTP/1.0 404 No\r\nContent-Length: 4\r\n\r\nthis is RS01\n".utf8)
    let (page, request) = try await Self.page(answer) { $0.keepsBody = true }
    #expect(page.digest == "9e925e9341b490bfd3b4c4ca3b0c1ef2")
    #expect(page.status == 404)
    #expect(String(decoding: page.head, as: UTF8.self) == "HTTP/1.0 404 No\r\nContent-Length: 4\r\n\r\n")
    #expect(page.body == Array("this".utf8))
    #expect(page.hashedByteCount == 4 && page.bodyByteCount == 13)
    #expect(request.hasPrefix("GET /a HTTP/1.0\r\nUser-Agent: KeepAliveClient\r\nHost: 127.0.0.1:"))
    let small = try await Self.page(answer) {
      $0.virtualHost = "web.example"
      $0.version = .http11
    }
    #expect(small.page.body.isEmpty && small.page.digest == page.digest)
    #expect(small.request.hasSuffix("Connection: close\r\nHost: web.example\r\n\r\n"))
  }

  @Test(.enabled(if: Certificate.openssl != nil, "needs the openssl command")) func overTLS() async throws {
    let certificate = try Certificate()
    defer { certificate.remove() }
    let answer = Array("HTTP/1.0 200 OK\r\n\r\nthis is RS01\n".utf8)
    let page = try await Self.page(answer, tls: certificate.serverContext()) { $0.tls = TLSDefinition() }.page
    #expect(page.digest == "7af343ac254e1512fec6345f7042e39a")
  }

  @Test func whatIsNoPageIsAnError() async throws {
    await #expect(throws: CheckError.noData) { try await Self.page([]) }
    await #expect(throws: CheckError.incomplete) { try await Self.page(Array("HTTP/1.0 200 OK\r\n".utf8)) }
    let server = try await ScriptedServer([])
    let generator = GenHash(path: "/", at: CheckTarget(server.endpoint))
    try await server.stop()
    await #expect(throws: CheckError.connect(ECONNREFUSED)) {
      try await generator.fetch(on: MultiThreadedEventLoopGroup.singleton.next()).get()
    }
  }

  @Test func theDumpIsForPeople() {
    let page = GenHash.Page(
      head: Array("HTTP/1.1 200 OK\r\nX: \u{1b}[2J\r\n\r\n".utf8), body: Array("body of 18 bytes\n\u{7}".utf8),
      digest: "68d324c184ddb648b7bbcbde9a42e5b0", status: 200, hashedByteCount: 18, bodyByteCount: 18)
    let dashes = String(repeating: "-", count: 23)
    let lines = page.dump.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      String(line.reversed().drop { $0 == " " }.reversed())
    }
    #expect(
      lines.joined(separator: "\n") == """
        \(dashes)[    HTTP Header Buffer    ]\(dashes)
        0000  48 54 54 50 2f 31 2e 31 - 20 32 30 30 20 4f 4b 0d   HTTP/1.1 200 OK.
        0016  0a 58 3a 20 1b 5b 32 4a - 0d 0a 0d 0a               .X: .[2J....
        \(dashes)[ HTTP Header Ascii Buffer ]\(dashes)
        HTTP/1.1 200 OK
        X: .[2J


        \(dashes)[        HTML Buffer        ]\(dashes)
        0000  62 6f 64 79 20 6f 66 20 - 31 38 20 62 79 74 65 73   body of 18 bytes
        0016  0a 07                   -                           ..

        \(dashes)[    HTML hash resulting    ]\(dashes)
        0000  68 d3 24 c1 84 dd b6 48 - b7 bb cb de 9a 42 e5 b0   h.$....H.....B..
        \(dashes)[ HTML hash final resulting ]\(dashes)
        68d324c184ddb648b7bbcbde9a42e5b0

        """)
    #expect(HexDump.text(of: page.body).split(separator: "\n").allSatisfy { $0.count == 74 })
  }

  /// What the real one computes for the same bytes, plain and chunked, of all sizes.
  @Test(.enabled(if: genhash != nil, "skipped: genhash is not installed")) func sameAsGenhash() async throws {
    print("genhash seed \(Samples.seed)")
    var random = SplitMix(Samples.seed)
    for number in 0..<20 {
      let count = [0, 1, 100, 4095, 4096, 4097, 20_000, 200_000][number % 8]
      // genhash looks for the length in the body too when it comes with the head; no random text has it.
      let body = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
      var fields = "HTTP/1.1 200 OK\r\nServer: test\r\n"
      var sent = body
      switch number % 4 {
      case 1: fields += "Content-Length: \(count)\r\n"
      case 2: fields += "Content-Length: \(count / 2)\r\n"
      case 3:
        fields += "Transfer-Encoding: chunked\r\n"
        sent = Self.chunks(body, using: &random)
      default: break
      }
      let answer = Array((fields + "\r\n").utf8) + sent
      let server = try await ScriptedServer([.hear("\r\n\r\n"), .send(answer), .close])
      let theirs = try Self.theirs(server.endpoint.port)
      let generator = GenHash(path: "/p", at: CheckTarget(server.endpoint))
      let ours = try await generator.fetch(on: MultiThreadedEventLoopGroup.singleton.next()).get()
      #expect(theirs == ours.digest, "page \(number), \(count) bytes")
      try await server.stop()
    }
  }

  private static func chunks(_ body: [UInt8], using random: inout SplitMix) -> [UInt8] {
    var sent: [UInt8] = []
    var rest = body[...]
    while !rest.isEmpty {
      let chunk = rest.prefix(Int.random(in: 1...5000, using: &random))
      sent += Array("\(String(chunk.count, radix: 16))\r\n".utf8) + chunk + [13, 10]
      rest = rest.dropFirst(chunk.count)
    }
    return sent + Array("0\r\n\r\n".utf8)
  }

  /// The last line that genhash prints.
  private static func theirs(_ port: UInt16) throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: genhash ?? "/usr/bin/genhash")
    process.arguments = ["-s", "127.0.0.1", "-p", "\(port)", "-u", "/p"]
    let output = Pipe()
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return String(decoding: data, as: UTF8.self).split(separator: "\n").last.map(String.init) ?? ""
  }
}
