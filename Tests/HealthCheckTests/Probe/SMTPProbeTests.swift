import Glibc
import Testing

@testable import HealthCheck

@Suite struct SMTPProbeTests {
  private typealias Step = ScriptedServer.Step

  private static func say(_ text: String) -> Step { .send(Array(text.utf8)) }

  private static func result(_ steps: [Step], within timeout: Duration = .seconds(10)) async throws -> AttemptResult {
    let server = try await ScriptedServer(steps)
    let result = await Attempts.one(.smtp(heloName: "lb.example"), at: server.endpoint, within: timeout)
    try await server.stop()
    return result
  }

  @Test func aMailServer() async throws {
    let server = try await ScriptedServer([
      Self.say("220 mx.example ESMTP\r\n"), .hear("HELO lb.example\r\n"), Self.say("250 hello\r\n"),
      .hear("QUIT\r\n"), Self.say("221 bye\r\n"), .close,
    ])
    #expect(await Attempts.one(.smtp(heloName: "lb.example"), at: server.endpoint) == .well())
    #expect(server.request == "HELO lb.example\r\nQUIT\r\n")
    try await server.stop()
  }

  @Test func singleBytes() async throws {
    let result = try await Self.result([
      .trickle(Array("220\r\n".utf8)), .hear("HELO"), .trickle(Array("250\n".utf8)), .hear("QUIT"),
      .trickle(Array("221\r\n".utf8)),
    ])
    #expect(result == .well())
  }

  @Test func wrongAnswers() async throws {
    #expect(try await Self.result([Self.say("554 no\r\n")]) == .failed(.greeting(554)))
    #expect(try await Self.result([Self.say("220-mx\r\n220 mx\r\n")]) == .failed(.greeting(0)))
    #expect(try await Self.result([Self.say("\u{0}\u{1}\n")]) == .failed(.greeting(0)))
    #expect(
      try await Self.result([Self.say("220 a\r\n"), .hear("HELO"), Self.say("501 b\r\n")]) == .failed(.helo(501)))
    #expect(try await Self.result([.close]) == .failed(.noData))
    #expect(try await Self.result([Self.say("220 a\r\n"), .hear("HELO"), .close]) == .failed(.incomplete))
  }

  @Test func endlessLinesAreCutOff() async throws {
    #expect(try await Self.result([.repeats([120])]) == .failed(.tooLong))
  }

  @Test func silence() async throws {
    #expect(try await Self.result([], within: .seconds(1)) == .failed(.readTimeout))
    #expect(
      try await Self.result([Self.say("220 a\r\n"), .hear("HELO")], within: .seconds(1))
        == .failed(.readTimeout))
  }

  @Test func refused() async throws {
    let server = try await ScriptedServer([])
    try await server.stop()
    #expect(
      await Attempts.one(.smtp(heloName: "x"), at: server.endpoint) == .failed(.connect(ECONNREFUSED)))
  }
}
