import NIOCore
import NIOEmbedded
import Testing

@testable import Notify

/// One connection, in virtual time.
@Suite struct MailHandlerTests {
  /// A connection whose answers may take 30 s, and what came of it.
  private final class Conversation {
    let channel: EmbeddedChannel
    let server: Correspondent
    private(set) var ends: [MailAttempt] = []

    init() throws {
      let message = try #require(Samples.message())
      channel = EmbeddedChannel()
      channel.connect(to: try SocketAddress(ipAddress: "192.0.2.25", port: 25), promise: nil)
      server = Correspondent(channel)
      let handler = MailHandler(MailDialogue(message, heloName: "lb1"), answerLimit: .seconds(30)) { [self] in
        ends.append($0)
      }
      try channel.pipeline.syncOperations.addHandler(handler)
    }

    func pass(_ time: TimeAmount) { channel.embeddedEventLoop.advanceTime(by: time) }

    /// Up to the text's answer.
    func talk() throws { for answer in PostOffice.friendly.prefix(6) { try server.say(answer) } }
  }

  @Test func aMailIsSentAndTheConnectionClosed() throws {
    let conversation = try Conversation()
    try conversation.talk()
    #expect(conversation.ends.isEmpty)
    try conversation.server.say("221 bye")
    #expect(conversation.ends == [.finished(.sent(refused: []))])
    #expect(!conversation.server.isOpen)
    conversation.pass(.hours(1))
    #expect(conversation.ends.count == 1)
  }

  @Test func aServerThatSaysNothingHasItsTime() throws {
    let conversation = try Conversation()
    conversation.pass(.milliseconds(29_999))
    #expect(conversation.server.isOpen)
    conversation.pass(.milliseconds(1))
    #expect(!conversation.server.isOpen)
    #expect(conversation.ends == [.failed("no answer to connecting within 30 s")])
  }

  @Test func eachAnswerHasItsTime() throws {
    let conversation = try Conversation()
    for answer in PostOffice.friendly.prefix(3) {
      conversation.pass(.seconds(29))
      try conversation.server.say(answer)
    }
    conversation.pass(.seconds(30))
    #expect(conversation.ends == [.failed("no answer to RCPT TO:<ops@example.org> within 30 s")])
  }

  @Test func aByteNowAndThenProlongsNothing() throws {
    let conversation = try Conversation()
    for _ in 0..<29 {
      conversation.pass(.seconds(1))
      try conversation.server.send("2")
    }
    #expect(conversation.server.isOpen)
    conversation.pass(.seconds(1))
    #expect(conversation.ends == [.failed("no answer to connecting within 30 s")])
  }

  @Test func linesOfOneAnswerProlongNothing() throws {
    let conversation = try Conversation()
    for _ in 0..<29 {
      conversation.pass(.seconds(1))
      try conversation.server.say("220-more")
    }
    conversation.pass(.seconds(1))
    #expect(conversation.ends == [.failed("no answer to connecting within 30 s")])
  }

  @Test func allOfItHasItsTimeAsWell() throws {
    let message = try #require(Samples.message(to: (0..<50).map { "user\($0)@example.org" }))
    let channel = EmbeddedChannel()
    channel.connect(to: try SocketAddress(ipAddress: "192.0.2.25", port: 25), promise: nil)
    let server = Correspondent(channel)
    let ends = NIOLoopBoundBox<[MailAttempt]>.makeBoxSendingValue([], eventLoop: channel.eventLoop)
    try channel.pipeline.syncOperations.addHandler(
      MailHandler(MailDialogue(message, heloName: "lb1"), answerLimit: .seconds(30)) { ends.value.append($0) })
    try server.say("220")
    for _ in 0..<20 {
      channel.embeddedEventLoop.advanceTime(by: .seconds(29))
      try server.say("250")
    }
    #expect(server.isOpen)
    channel.embeddedEventLoop.advanceTime(by: .seconds(20))
    #expect(!server.isOpen)
    #expect(ends.value == [.failed("it takes longer than 600 s")])
  }

  @Test func nobodyWaitsLongForAFarewell() throws {
    let conversation = try Conversation()
    try conversation.talk()
    conversation.pass(.milliseconds(4_999))
    #expect(conversation.ends.isEmpty)
    conversation.pass(.milliseconds(1))
    #expect(conversation.ends == [.finished(.sent(refused: []))])
    #expect(!conversation.server.isOpen)
  }

  @Test func aServerThatHangsUp() throws {
    let early = try Conversation()
    try early.server.say("220 a")
    early.server.hangUp()
    #expect(early.ends == [.failed("the connection was closed in place of an answer to HELO")])
    let late = try Conversation()
    try late.talk()
    late.server.hangUp()
    #expect(late.ends == [.finished(.sent(refused: []))], "the mail is the server's already")
  }

  @Test func garbageIsNotAnswered() throws {
    let conversation = try Conversation()
    #expect(try conversation.server.say("<html>") == "")
    #expect(!conversation.server.isOpen)
    #expect(conversation.ends == [.finished(.notUnderstood(step: "connecting", reason: "'<html>'"))])
  }

  @Test func anErrorOfTheConnectionIsSaid() throws {
    struct Reset: Error, CustomStringConvertible { let description = "connection reset by peer" }
    let conversation = try Conversation()
    conversation.server.fail(Reset())
    #expect(conversation.ends == [.failed("connection reset by peer")])
    #expect(!conversation.server.isOpen)
  }

  @Test func wordsOfTimes() {
    #expect(TimeAmount.seconds(30).words == "30 s")
    #expect(TimeAmount.milliseconds(1500).words == "1.5 s")
    #expect(Int64.max.multipliedSafely(by: 20) == .max)
  }
}
