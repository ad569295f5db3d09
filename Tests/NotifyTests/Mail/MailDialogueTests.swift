import Testing

@testable import Notify

@Suite struct MailDialogueTests {
  /// Lets the server's answers come, one after the other.
  /// - Returns: what was said to each.
  private func talk(_ dialogue: inout MailDialogue, _ answers: [String]) -> [String] {
    answers.map { String(decoding: dialogue.receive(($0 + "\r\n").utf8), as: UTF8.self) }
  }

  private func dialogue(
    _ recipients: String..., name: String = "[10.0.0.1]:tcp:80", helo: String = "lb1"
  ) throws
    -> MailDialogue
  {
    MailDialogue(try #require(Samples.message(name, to: recipients)), heloName: helo)
  }

  private func outcome(_ answers: String...) throws -> MailDialogue.Outcome? {
    var dialogue = try dialogue("a@example.org", "b@example.org")
    _ = talk(&dialogue, answers)
    return dialogue.outcome
  }

  @Test func theWholeConversation() throws {
    let message = try #require(Samples.message(to: ["a@example.org", "b@example.org"]))
    var dialogue = MailDialogue(message, heloName: "lb1.example.org")
    let said = talk(
      &dialogue,
      [
        "220-mail.example.org\r\n220 ready", "250 hello", "250 ok", "250 ok", "251 forwarded", "354 go on",
        "250 queued",
      ])
    #expect(
      said == [
        "HELO lb1.example.org\r\n", "MAIL FROM:<lbd@example.org>\r\n", "RCPT TO:<a@example.org>\r\n",
        "RCPT TO:<b@example.org>\r\n", "DATA\r\n", String(decoding: message.text, as: UTF8.self) + ".\r\n", "QUIT\r\n",
      ])
    #expect(dialogue.outcome == .sent(refused: []))
    #expect(!dialogue.isOver)
    #expect(talk(&dialogue, ["221 bye"]) == [""])
    #expect(dialogue.isOver)
    #expect(talk(&dialogue, ["250 and more"]) == [""], "nobody listens any longer")
  }

  @Test func piecesMakeNoDifference() throws {
    let answers = "220 a\r\n250-b\r\n250 c\r\n250 d\r\n250 e\r\n250 f\r\n354 g\r\n250 h\r\n221 i\r\n"
    var whole = try dialogue("a@example.org", "b@example.org")
    var pieces = whole
    let said = whole.receive(answers.utf8)
    var piecewise: [UInt8] = []
    for byte in answers.utf8 { piecewise += pieces.receive([byte]) }
    #expect(said == piecewise)
    #expect(whole.outcome == .sent(refused: []))
    #expect(pieces.outcome == whole.outcome)
    #expect(pieces.isOver && whole.isOver)
  }

  @Test func oneRecipientIsRefused() throws {
    let reply = MailReply(code: 550, text: "no such user")
    #expect(
      try outcome("220", "250", "250", "550 no such user", "250", "354", "250")
        == .sent(refused: [MailDialogue.Refusal(recipient: "a@example.org", reply: reply)]))
  }

  @Test func allRecipientsAreRefused() throws {
    var dialogue = try dialogue("a@example.org", "b@example.org")
    let said = talk(&dialogue, ["220", "250", "250", "550 no", "450 later"])
    #expect(said.last == "QUIT\r\n", "and no DATA")
    #expect(
      dialogue.outcome
        == .noRecipients([
          MailDialogue.Refusal(recipient: "a@example.org", reply: MailReply(code: 550, text: "no")),
          MailDialogue.Refusal(recipient: "b@example.org", reply: MailReply(code: 450, text: "later")),
        ]))
  }

  @Test func refusedAtEachStep() throws {
    func refused(_ step: String, _ code: Int) -> MailDialogue.Outcome {
      .refused(step: step, MailReply(code: code, text: "x"))
    }
    #expect(try outcome("554 x") == refused("connecting", 554))
    #expect(try outcome("354 x") == refused("connecting", 354), "positive, but not what was asked")
    #expect(try outcome("220", "500 x") == refused("HELO", 500))
    #expect(try outcome("220", "250", "451 x") == refused("MAIL FROM", 451))
    #expect(try outcome("220", "250", "250", "421 x") == refused("RCPT TO:<a@example.org>", 421))
    #expect(try outcome("220", "250", "250", "250", "250", "250 x") == refused("DATA", 250))
    #expect(try outcome("220", "250", "250", "250", "250", "354", "452 x") == refused("the mail's text", 452))
    #expect(try outcome("220", "250", "250", "250", "250", "354", "354 x") == refused("the mail's text", 354))
  }

  @Test func whatIsSaidToQuitNoLongerMatters() throws {
    #expect(try outcome("220", "250", "250", "250", "250", "354", "250", "garbage") == .sent(refused: []))
    #expect(
      try outcome("220", "250", "550 x", "garbage") == .refused(step: "MAIL FROM", MailReply(code: 550, text: "x")))
  }

  @Test func garbageAndAnswersWithoutEnd() throws {
    var garbage = try dialogue("a@example.org")
    #expect(talk(&garbage, ["SSH-2.0-OpenSSH_9.6"]) == [""])
    #expect(garbage.outcome == .notUnderstood(step: "connecting", reason: "'SSH-2.0-OpenSSH_9.6'"))
    #expect(garbage.isOver)
    var endless = try dialogue("a@example.org")
    #expect(endless.receive("220 a\r\n".utf8) == Array("HELO lb1\r\n".utf8))
    #expect(endless.receive(String(repeating: "250-a\r\n", count: 129).utf8).isEmpty)
    #expect(endless.outcome == .notUnderstood(step: "HELO", reason: "an answer without an end"))
    #expect(endless.isOver)
  }

  /// A line that is a dot alone would end the mail, and what follows would be commands.
  @Test func dotsAreDoubled() {
    func dotted(_ text: String) -> String { String(decoding: MailDialogue.dotted(Array(text.utf8)), as: UTF8.self) }
    #expect(dotted("a\r\n.\r\nQUIT\r\n") == "a\r\n..\r\nQUIT\r\n.\r\n")
    #expect(dotted(".a.b\r\n..c\r\n") == "..a.b\r\n...c\r\n.\r\n")
    #expect(dotted("no end") == "no end\r\n.\r\n")
    #expect(dotted("\n.x\n") == "\n..x\n.\r\n", "what some servers take for an end of line as well")
    #expect(dotted("") == ".\r\n")
  }

  @Test func aNameThatCannotBehindHELO() throws {
    for name in ["", "two words", "a\r\nRCPT TO:<x@y>", "é", String(repeating: "a", count: 256)] {
      var dialogue = try dialogue("a@example.org", helo: name)
      #expect(talk(&dialogue, ["220 a"]) == ["HELO localhost\r\n"])
    }
  }
}
