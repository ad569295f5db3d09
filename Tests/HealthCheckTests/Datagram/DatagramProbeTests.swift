import Glibc
import Testing
import Wire

@testable import HealthCheck

/// Questions and answers over loopback.
@Suite struct DatagramProbeTests {
  private static func dns(_ name: String = "www.example") -> CheckKind {
    var definition = DNSDefinition()
    definition.name = name
    definition.type = .a
    return .dns(definition)
  }

  private static func udp(_ change: (inout UDPDefinition) -> Void = { _ in }) -> CheckKind {
    var definition = UDPDefinition()
    change(&definition)
    return .udp(definition)
  }

  private static func result(
    _ kind: CheckKind, within timeout: Duration = .seconds(10), _ replies: @escaping @Sendable ([UInt8]) -> [[UInt8]]
  ) async throws -> AttemptResult {
    let server = try await DatagramServer(replies)
    let result = await Attempts.one(kind, at: server.endpoint, within: timeout)
    try await server.stop()
    return result
  }

  /// A port of loopback that nobody listens at.
  private static func closedPort() async throws -> Endpoint {
    let server = try await DatagramServer { _ in [] }
    try await server.stop()
    return server.endpoint
  }

  @Test func nameServers() async throws {
    #expect(try await Self.result(Self.dns()) { [DNSQueryTests.answer(to: $0)] } == .well())
    #expect(
      try await Self.result(Self.dns()) { [DNSQueryTests.answer(to: $0, code: 3)] } == .failed(.responseCode(3)))
    #expect(try await Self.result(Self.dns()) { [Array($0.prefix(2)), [1]] } == .failed(.malformed))
  }

  @Test func answersToOthersAreWaitedOut() async throws {
    let result = try await Self.result(Self.dns()) { question in
      var other = DNSQueryTests.answer(to: question, code: 2)
      other[0] &+= 1
      var name = DNSQueryTests.answer(to: question, code: 2)
      name[13] = 120
      return [[], other, name, DNSQueryTests.answer(to: question)]
    }
    #expect(result == .well())
  }

  @Test func silentNameServers() async throws {
    #expect(try await Self.result(Self.dns(), within: .milliseconds(50)) { _ in [] } == .failed(.readTimeout))
    let closed = try await Self.closedPort()
    #expect(await Attempts.one(Self.dns(), at: closed) == .failed(.connect(ECONNREFUSED)))
  }

  @Test func whatCannotBeAskedIsNoVerdict() async throws {
    let result = try await Self.result(Self.dns("a..b")) { [$0] }
    #expect(result == .notRun(.definition("the name has a label of 0 bytes, 1 to 63 are possible")))
  }

  @Test func everyAttemptHasItsOwnNumber() async throws {
    let server = try await DatagramServer { question in
      // Only those whose id is even are answered; with one id for all attempts, all or none would be.
      question[1] & 1 == 0 ? [DNSQueryTests.answer(to: question)] : [DNSQueryTests.answer(to: question, code: 2)]
    }
    let attempts = Attempts(Samples.definition(Self.dns(), at: server.endpoint))
    var results: Set<AttemptResult> = []
    for _ in 0..<100 where results.count < 2 { results.insert(await attempts.next()) }
    #expect(results.count == 2)
    try await server.stop()
  }

  @Test func udpWithoutAReply() async throws {
    #expect(try await Self.result(Self.udp(), within: .milliseconds(50)) { _ in [] } == .well())
    let closed = try await Self.closedPort()
    #expect(await Attempts.one(Self.udp(), at: closed) == .failed(.connect(ECONNREFUSED)))
    let required = Self.udp { $0.requiresReply = true }
    #expect(try await Self.result(required, within: .milliseconds(50)) { _ in [] } == .failed(.readTimeout))
  }

  @Test func udpReplies() async throws {
    let kind = Self.udp {
      $0.payload = [1, 2, 3]
      $0.requiresReply = true
      $0.replyBytes = [3, 2]
      $0.minReplyLength = 3
      $0.maxReplyLength = 60_000
    }
    #expect(try await Self.result(kind) { [$0.reversed()] } == .well())
    #expect(try await Self.result(kind) { [$0] } == .failed(.reply))
    #expect(try await Self.result(kind) { _ in [[3, 2]] } == .failed(.reply))
    #expect(try await Self.result(kind) { _ in [[3, 2] + [UInt8](repeating: 0, count: 59_998)] } == .well())
    #expect(
      try await Self.result(kind) { _ in [[3, 2] + [UInt8](repeating: 0, count: 59_999)] } == .failed(.reply))
  }

  @Test func whereItComesFrom() async throws {
    let server = try await DatagramServer { [$0] }
    var definition = Samples.definition(Self.udp { $0.requiresReply = true }, at: server.endpoint)
    definition.target.bindAddress = Samples.endpoint("127.0.0.9", 0).address
    definition.target.interface = "lo"
    #expect(await Attempts(definition).next() == .well())
    definition.target.bindAddress = Samples.endpoint("192.0.2.77", 0).address
    #expect(
      await Attempts(definition).next() == .notRun(.cannotRun(step: "bind to 192.0.2.77:0", errno: EADDRNOTAVAIL)))
    try await server.stop()
  }

  @Test func anAttemptThatIsTakenBackDoesNotDisturbTheNext() async throws {
    let server = try await DatagramServer { [$0] }
    let attempts = Attempts(Samples.definition(Self.udp { $0.requiresReply = true }, at: server.endpoint))
    for _ in 0..<20 { try await attempts.beginAndCancel() }
    #expect(await attempts.next() == .well())
    try await server.stop()
  }

  private static let kinds: [DatagramSocket.Kind] = [.echo, .rawEcho]

  @Test(.enabled(if: geteuid() == 0, "needs root"), arguments: ["127.0.0.1", "::1"])
  func echoes(_ address: String) async throws {
    let definition = Samples.definition(.ping, at: Samples.endpoint(address, 0))
    #expect(await Attempts(definition).next() == .well())
    for kind in Self.kinds {
      let attempts = Attempts { NetworkProbes.echoProbe(definition, over: [kind], on: $0) }
      for _ in 0..<3 {
        let result = await attempts.next()
        // Whether the group may have such sockets is the machine's business, raw ones are always permitted.
        if case .notRun(.cannotRun(_, EACCES)) = result, kind == .echo {
          print("echo sockets skipped: the group is not within net.ipv4.ping_group_range")
        } else {
          #expect(result == .well(), "\(kind)")
        }
      }
    }
  }

  @Test(.enabled(if: geteuid() == 0, "needs root"))
  func manyEchoesAtOnceDoNotTakeEachOthersReplies() async throws {
    let definition = Samples.definition(.ping, at: Samples.endpoint("127.0.0.1", 0))
    let results = await withTaskGroup(of: AttemptResult.self) { group in
      for number in 0..<50 {
        group.addTask {
          await Attempts {
            NetworkProbes.echoProbe(definition, over: number % 2 == 0 ? [.rawEcho] : [.echo, .rawEcho], on: $0)
          }.next()
        }
      }
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(results.count == 50 && results.allSatisfy { $0 == .well() })
  }

  /// A network that nothing leads to is the server's failure, as with connections.
  @Test func noWayThere() async throws {
    for kind in [Self.udp(), Self.dns(), .ping] {
      let result = await Attempts.one(kind, at: Samples.endpoint("2001:db8::1", 53), within: .milliseconds(200))
      switch result {
      case .failed(.connect(ENETUNREACH)), .failed(.connect(EHOSTUNREACH)), .failed(.readTimeout), .well: break
      // IPv6 is switched off.
      case .notRun(.cannotRun(_, EADDRNOTAVAIL)), .notRun(.cannotRun(_, EAFNOSUPPORT)): break
      default: Issue.record("\(kind.name): \(result)")
      }
    }
  }
}
