import NIOCore
import NIOPosix
import Testing

@testable import Notify

/// Real sockets, on loopback.
@Suite struct MailConnectorTests {
  @Test(arguments: ["127.0.0.1", "localhost"])
  func aMailArrives(_ name: String) async throws {
    let server = try await LoopbackServer()
    let channel = try await connectMail(on: server.loop)(name, server.port, .seconds(30)).get()
    let ends = server.loop.makePromise(of: MailAttempt.self)
    let message = try #require(Samples.message())
    try await server.loop.submit {
      let handler = MailHandler(MailDialogue(message, heloName: "lb1"), answerLimit: .seconds(30)) { ends.succeed($0) }
      try channel.pipeline.syncOperations.addHandler(handler)
    }.get()
    #expect(try await ends.futureResult.get() == .finished(.sent(refused: [])))
    let text = String(decoding: message.text, as: UTF8.self)
    #expect(
      try await server.heard(6) == [
        "HELO lb1", "MAIL FROM:<lbd@example.org>", "RCPT TO:<ops@example.org>", "DATA", text + ".", "QUIT",
      ])
    try await server.close()
  }

  @Test func whatComesBeforeAnybodyListensIsNotLost() async throws {
    let server = try await LoopbackServer()
    let channel = try await connectMail(on: server.loop)("127.0.0.1", server.port, .seconds(30)).get()
    // The banner has been sent by now, and lies in the socket: nothing is read until somebody asks.
    try await server.accepted(1)
    let ends = server.loop.makePromise(of: MailAttempt.self)
    let message = try #require(Samples.message())
    try await server.loop.submit {
      let handler = MailHandler(MailDialogue(message, heloName: "lb1"), answerLimit: .seconds(30)) { ends.succeed($0) }
      try channel.pipeline.syncOperations.addHandler(handler)
    }.get()
    #expect(try await ends.futureResult.get() == .finished(.sent(refused: [])))
    try await server.close()
  }

  @Test func nobodyListens() async throws {
    let server = try await LoopbackServer()
    let port = server.port
    try await server.close()
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    await #expect(throws: (any Error).self) {
      try await connectMail(on: loop)("127.0.0.1", port, .seconds(30)).get()
    }
  }
}
