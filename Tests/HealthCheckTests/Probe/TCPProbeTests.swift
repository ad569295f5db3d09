import Glibc
import Testing

@testable import HealthCheck

@Suite struct TCPProbeTests {
  @Test func aConnectionIsEnough() async throws {
    let server = try await ScriptedServer([])
    let attempts = Attempts(Samples.definition(at: server.endpoint))
    for _ in 0..<3 { #expect(await attempts.next() == .well()) }
    #expect(server.requests.flatMap { $0 }.isEmpty)
    try await server.stop()
  }

  @Test func refused() async throws {
    let server = try await ScriptedServer([])
    let attempts = Attempts(Samples.definition(at: server.endpoint))
    #expect(await attempts.next() == .well())
    try await server.stop()
    #expect(await attempts.next() == .failed(.connect(ECONNREFUSED)))
  }

  @Test func silent() async throws {
    let listener = try #require(FullListener())
    let result = await Attempts.one(.tcp, at: listener.endpoint, within: .milliseconds(100))
    #expect(result == .failed(.connectTimeout))
    withExtendedLifetime(listener) {}
  }

  @Test func closedAtOnceIsStillAConnection() async throws {
    let server = try await ScriptedServer([.close])
    #expect(await Attempts.one(.tcp, at: server.endpoint) == .well())
    try await server.stop()
  }

  /// Whether the connection was there before its end is a matter of time; it is no matter of this machine's.
  @Test func resetAtOnce() async throws {
    let server = try await ScriptedServer([.reset])
    let result = await Attempts.one(.tcp, at: server.endpoint)
    #expect(result == .well() || result == .failed(.connect(ECONNRESET)))
    try await server.stop()
  }

  @Test func anAttemptThatIsTakenBackDoesNotDisturbTheNext() async throws {
    let server = try await ScriptedServer([])
    let attempts = Attempts(Samples.definition(at: server.endpoint))
    for _ in 0..<20 { try await attempts.beginAndCancel() }
    #expect(await attempts.next() == .well())
    try await server.stop()
  }

  @Test func whatThisMachineCannotDoIsNoVerdict() async throws {
    let server = try await ScriptedServer([])
    var definition = Samples.definition(at: server.endpoint)
    definition.target.bindAddress = Samples.endpoint("192.0.2.77", 0).address
    let bound = await Attempts(definition).next()
    #expect(bound == .notRun(.cannotRun(step: "bind to 192.0.2.77:0", errno: EADDRNOTAVAIL)))
    definition.target.bindAddress = nil
    definition.target.interface = "none-such"
    #expect(
      await Attempts(definition).next() == .notRun(.cannotRun(step: "use interface none-such", errno: ENODEV)))
    try await server.stop()
  }

  @Test func bindsAndMarksAsTold() async throws {
    let server = try await ScriptedServer([])
    var definition = Samples.definition(at: server.endpoint)
    definition.target.bindAddress = Samples.endpoint("127.0.0.5", 0).address
    definition.target.interface = "lo"
    #expect(await Attempts(definition).next() == .well())
    if geteuid() == 0 {
      definition.target.mark = 7
      #expect(await Attempts(definition).next() == .well())
    }
    try await server.stop()
  }
}
