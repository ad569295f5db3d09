import Testing

@testable import Notify

@Suite struct MailReplyTests {
  /// What is read, and what ends it.
  private func read(_ text: String) -> (replies: [String], fault: MailReplyReader.Fault?) {
    var reader = MailReplyReader()
    var replies: [String] = []
    for byte in text.utf8 {
      do throws(MailReplyReader.Fault) {
        if let reply = try reader.read(byte) { replies.append(reply.description) }
      } catch {
        return (replies, error)
      }
    }
    return (replies, nil)
  }

  @Test func oneLineOrSeveral() {
    #expect(read("220 mail.example.org ESMTP\r\n").replies == ["220 mail.example.org ESMTP"])
    #expect(read("250-first\r\n250-second\r\n250 last\r\n221 bye\r\n").replies == ["250 last", "221 bye"])
    #expect(read("250\r\n250-\r\n250\n354 \n").replies == ["250", "250", "354"])
  }

  @Test func withoutAnEndThereIsNoReply() {
    #expect(read("220 mail").replies.isEmpty)
    #expect(read("220-mail\r\n220-more\r\n").replies.isEmpty)
    #expect(read("220-mail\r\n220-more\r\n").fault == nil)
  }

  @Test(arguments: [
    "hello\r\n", "\r\n", "22\r\n", "2200\r\n", "220x\r\n", "620 x\r\n", "199 x\r\n", " 220 x\r\n", "٢٢٠ x\r\n",
    "250-a\r\n251 b\r\n", "HTTP/1.1 400 Bad Request\r\n",
  ])
  func whatIsNoReplyIsSaid(_ text: String) throws {
    let (replies, fault) = read(text)
    #expect(replies.isEmpty)
    guard case .notSMTP = try #require(fault) else {
      Issue.record("\(String(describing: fault))")
      return
    }
  }

  @Test func linesAndAnswersHaveAnEnd() {
    let longest = String(repeating: "x", count: MailReplyReader.lineBytesMax - 5)
    #expect(read("250 \(longest)\r\n").fault == nil)
    #expect(read("250 \(longest)xx\r\n").fault == .tooLong)
    let lines = String(repeating: "250-x\r\n", count: MailReplyReader.linesMax - 1)
    #expect(read(lines + "250 x\r\n").replies == ["250 x"])
    #expect(read(lines + "250-x\r\n250 x\r\n").fault == .tooLong)
  }

  @Test func aLogHasWhatCanBePrinted() {
    #expect(read("550 \u{1b}[31mno\t\u{0}é\r\n").replies == ["550 ?[31mno????"])
    #expect(read("550 \(String(repeating: "x", count: 500))\r\n").replies.first?.utf8.count == 124)
    #expect(read("\u{7}garbage\r\n").fault == .notSMTP("?garbage"))
  }

  @Test func theFirstDigitSaysHowItIsMeant() {
    #expect(MailReply(code: 354, text: "").isPositive)
    #expect(!MailReply(code: 450, text: "").isPositive)
    #expect(!MailReply(code: 450, text: "").isPermanent)
    #expect(MailReply(code: 550, text: "").isPermanent)
  }
}
