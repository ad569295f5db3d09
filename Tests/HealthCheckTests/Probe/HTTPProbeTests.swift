import Glibc
import Testing
import Wire

@testable import HealthCheck

/// HTTP_GET against servers that work, that do not, and that mean harm.
@Suite struct HTTPProbeTests {
  private typealias Step = ScriptedServer.Step

  private static let body = Array("this is RS01\n".utf8)
  private static let digest = "7af343ac254e1512fec6345f7042e39a"

  private static func answer(_ status: Int = 200, _ fields: String = "", body: [UInt8] = body) -> [UInt8] {
    Array("HTTP/1.1 \(status) Words\r\n\(fields)\r\n".utf8) + body
  }

  private static func kind(_ change: (inout HTTPDefinition) -> Void = { _ in }) -> CheckKind {
    var check = HTTPDefinition(pages: [HTTPDefinition.Page(path: "/page")])
    check.pages[0].digest = digest
    change(&check)
    return .http(check)
  }

  /// One attempt against a server that hears the request and then does `steps`.
  private static func result(
    of kind: CheckKind = kind(), _ steps: [Step], within timeout: Duration = .seconds(20)
  ) async throws -> AttemptResult {
    let server = try await ScriptedServer([.hear("\r\n\r\n")] + steps)
    let result = await Attempts.one(kind, at: server.endpoint, within: timeout)
    try await server.stop()
    return result
  }

  @Test func aPageThatIsAsItShouldBe() async throws {
    #expect(try await Self.result([.send(Self.answer()), .close]) == .well())
    #expect(try await Self.result([.trickle(Self.answer()), .close]) == .well())
    #expect(try await Self.result([.send(Self.answer()), .halfClose]) == .well())
  }

  @Test func requestsAreTheLinesThatKeepalivedSends() async throws {
    for (version, line, more) in [
      (HTTPDefinition.Version.http10, "1.0", ""), (.http10Close, "1.0", "Connection: close\r\n"),
      (.http11, "1.1", "Connection: close\r\n"),
    ] {
      for host in [nil, "web.example"] {
        let server = try await ScriptedServer([.hear("\r\n\r\n"), .send(Self.answer()), .close])
        let kind = Self.kind {
          $0.version = version
          $0.virtualHost = host
        }
        #expect(await Attempts.one(kind, at: server.endpoint) == .well())
        #expect(
          server.request
            == "GET /page HTTP/\(line)\r\nUser-Agent: KeepAliveClient\r\n\(more)Host: "
            + "\(host ?? server.endpoint.description)\r\n\r\n")
        try await server.stop()
      }
    }
  }

  @Test func chunksAreHashedAsTheyAre() async throws {
    let chunked = Array("d\r\nthis is RS01\n\r\n0\r\n\r\n".utf8)
    let kind = Self.kind {
      $0.version = .http11
      $0.pages[0].digest = "079b56a4f859fc20c1e9d8d2a15b60a7"
    }
    let answer = Self.answer(200, "Transfer-Encoding: chunked\r\n", body: chunked)
    #expect(try await Self.result(of: kind, [.send(answer), .close]) == .well())
    #expect(try await Self.result(of: kind, [.trickle(answer), .close]) == .well())
  }

  @Test func bodiesEndWhereTheirLengthSays() async throws {
    let kind = Self.kind { $0.pages[0].digest = "9E925E9341B490BFD3B4C4CA3B0C1EF2" }
    #expect(try await Self.result(of: kind, [.send(Self.answer(200, "Content-Length: 4\r\n")), .close]) == .well())
    let small = Self.answer(200, "content-length: 4\r\n")
    #expect(try await Self.result(of: kind, [.send(small), .close]) == .failed(.digest(Self.digest)))
  }

  @Test func wrongAnswers() async throws {
    #expect(try await Self.result([.send(Self.answer(500)), .close]) == .failed(.status(500)))
    #expect(
      try await Self.result([.send(Self.answer(body: [])), .close])
        == .failed(.digest("d41d8cd98f00b204e9800998ecf8427e")))
    #expect(try await Self.result([.close]) == .failed(.noData))
    #expect(try await Self.result([.send(Array("HTTP/1.1 200 OK\r\n".utf8)), .close]) == .failed(.incomplete))
    #expect(try await Self.result([.send(Array("garbage\u{0}\r\n\r\nmore".utf8)), .close]) == .failed(.status(0)))
    #expect(try await Self.result([.send(Self.answer()), .reset]) == .failed(.read(ECONNRESET)))
  }

  @Test func statusesThatAreGoodWhenConfigured() async throws {
    let kind = Self.kind { $0.pages[0].statusCodes = [404...404, 500...503] }
    #expect(try await Self.result(of: kind, [.send(Self.answer(502)), .close]) == .well())
    #expect(try await Self.result(of: kind, [.send(Self.answer(200)), .close]) == .failed(.status(200)))
  }

  @Test func patterns() async throws {
    func kind(
      _ text: String, not: Bool = false, _ change: (inout HTTPDefinition.PatternDefinition) -> Void = { _ in }
    )
      -> CheckKind
    {
      var pattern = HTTPDefinition.PatternDefinition(text)
      pattern.mustNotMatch = not
      change(&pattern)
      return Self.kind { $0.pages[0].pattern = pattern }
    }
    let good: [Step] = [.send(Self.answer()), .close]
    #expect(try await Self.result(of: kind("RS0[1-3]$"), good) == .well())
    #expect(try await Self.result(of: kind("rs01"), good) == .failed(.noMatch))
    #expect(try await Self.result(of: kind("rs01") { $0.options = ["caseless"] }, good) == .well())
    #expect(try await Self.result(of: kind("RS01", not: true), good) == .failed(.match))
    #expect(try await Self.result(of: kind("RS02", not: true), good) == .well())
    #expect(try await Self.result(of: kind("RS01") { $0.minOffset = 8 }, good) == .well())
    #expect(try await Self.result(of: kind("RS01") { $0.minOffset = 9 }, good) == .failed(.noMatch))
    #expect(try await Self.result(of: kind("RS01") { $0.maxOffset = 7 }, good) == .failed(.noMatch))
    guard case .notRun(.definition) = try await Self.result(of: kind("RS0("), good) else {
      Issue.record("a pattern that is none has run")
      return
    }
  }

  @Test func aServerThatSaysNothing() async throws {
    #expect(try await Self.result([], within: .seconds(1)) == .failed(.readTimeout))
    let half: [Step] = [.send(Array("HTTP/1.1 200 OK\r\nX: ".utf8))]
    #expect(try await Self.result(half, within: .seconds(1)) == .failed(.readTimeout))
    let listener = try #require(FullListener())
    let result = await Attempts.one(Self.kind(), at: listener.endpoint, within: .milliseconds(100))
    #expect(result == .failed(.connectTimeout))
    withExtendedLifetime(listener) {}
  }

  /// Each piece comes in time, and there is no last one.
  @Test func aDribbleIsFoundOut() async throws {
    let head = Self.answer(body: [])
    let result = try await Self.result([.send(head), .repeats([120])], within: .seconds(1))
    #expect(result == .failed(.deadline))
  }

  @Test func endlessAnswersAreCutOff() async throws {
    let piece = [UInt8](repeating: 120, count: 64 * 1024)
    let kind = Self.kind { $0.pages[0].pattern = HTTPDefinition.PatternDefinition("y") }
    #expect(try await Self.result(of: kind, [.send(Self.answer(body: [])), .repeats(piece)]) == .failed(.tooLong))
    #expect(try await Self.result([.repeats(piece)]) == .failed(.tooLong))
    #expect(try await Self.result([.trickle(Array(piece.prefix(20000)))]) == .failed(.tooLong))
  }

  @Test func refused() async throws {
    let server = try await ScriptedServer([])
    try await server.stop()
    #expect(await Attempts.one(Self.kind(), at: server.endpoint) == .failed(.connect(ECONNREFUSED)))
  }

  @Test func aHostWithAnEndOfLineIsNotSent() async throws {
    let server = try await ScriptedServer([])
    let result = await Attempts.one(Self.kind { $0.virtualHost = "x\r\nY: z" }, at: server.endpoint)
    #expect(result == .notRun(.definition("the virtualhost has an end of line in it")))
    #expect(server.requests.isEmpty)
    try await server.stop()
  }
}
