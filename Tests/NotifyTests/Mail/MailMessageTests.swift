import Foundation
import Testing

@testable import Notify

/// A mail as its reader's filters see it.
@Suite struct MailMessageTests {
  private let notice = Notice(Samples.realServer, .down, detail: "TCP CHECK failed on service", sendsMail: true)

  private func lines(_ message: MailMessage?) -> [String] {
    String(decoding: message?.text ?? [], as: UTF8.self).components(separatedBy: "\r\n")
  }

  @Test func allOfIt() throws {
    let message = try #require(MailMessage(notice, Samples.mail(), host: Samples.host, time: 1_000_000_000))
    #expect(
      lines(message) == [
        "Date: \(MailMessage.date(1_000_000_000))",
        "From: lbd@example.org",
        "Subject: [LVS_DEVEL] Realserver [10.0.0.1]:tcp:80 of virtual server [10.0.0.100]:tcp:80 - DOWN",
        "To: ops@example.org, Night Shift <night@example.org>",
        "X-Mailer: Keepalived",
        "",
        "=> TCP CHECK failed on service <=",
        "",
      ])
    #expect(message.sender == "lbd@example.org")
    #expect(message.recipients == ["ops@example.org", "night@example.org"])
  }

  @Test func theHostsNamesWhereNoneAreGiven() throws {
    let settings = Samples.mail { ($0.sender, $0.routerID) = (nil, nil) }
    let message = try #require(MailMessage(notice, settings, host: Samples.host, time: 0))
    #expect(message.sender == "root@lb1.example.org")
    #expect(lines(message)[1] == "From: root@lb1.example.org")
    #expect(lines(message)[2].hasPrefix("Subject: [lb1.example.org] Realserver "))
  }

  @Test func noMailAboutSomeThingsOrToNobody() {
    let quiet = Notice(Samples.instance, .masterHeardLowerPriority(priority: 1), sendsMail: true)
    #expect(MailMessage(quiet, Samples.mail(), host: Samples.host, time: 0) == nil)
    let nobody = Samples.mail { $0.recipients = ["", " ", "a b@example.org", "x@y\r\nDATA", "<>"] }
    #expect(MailMessage(notice, nobody, host: Samples.host, time: 0) == nil)
  }

  /// Whatever has a line break in it, the mail has the headers it always has.
  @Test(arguments: ["\r\nBcc: thief@example.com\r\n\r\nbody", "\nBcc: thief@example.com", "\rBcc: x", "\u{85}Bcc: x"])
  func nothingMakesAnotherHeader(_ poison: String) throws {
    let settings = Samples.mail {
      $0.sender = "lbd\(poison)<lbd@example.org>"
      $0.routerID = "LVS\(poison)"
      $0.recipients = ["Ops\(poison) <ops@example.org>", "a\(poison)@example.org", "Ö\(poison) <o@example.org>"]
    }
    let notice = Notice(.virtualServer("[web\(poison)]:80"), .up, detail: "gained\(poison)", sendsMail: true)
    let message = try #require(MailMessage(notice, settings, host: Samples.host, time: 0))
    #expect(message.recipients == ["ops@example.org", "o@example.org"])
    let text = String(decoding: message.text, as: UTF8.self)
    #expect(!text.replacing("\r\n", with: "").unicodeScalars.contains { $0.properties.generalCategory == .control })
    let headers = text.components(separatedBy: "\r\n\r\n")[0].replacing("\r\n ", with: " ")
    #expect(
      headers.components(separatedBy: "\r\n").map { String($0.prefix { $0 != ":" }) }.filter {
        !["MIME-Version", "Content-Type", "Content-Transfer-Encoding"].contains($0)
      } == ["Date", "From", "Subject", "To", "X-Mailer"])
    #expect(text.components(separatedBy: "\r\n\r\n").count == 2)
  }

  @Test func noLineIsLongerThanServersTake() throws {
    let long = String(repeating: "ä", count: 5000)
    let settings = Samples.mail {
      $0.routerID = long
      $0.sender = "\(long) <lbd@example.org>"
      $0.recipients = (0..<500).map { "Name \($0) \(String(repeating: "x", count: 900)) <user\($0)@example.org>" }
    }
    let notice = Notice(Samples.instance, .state(.master, priority: 1), detail: long, sendsMail: true)
    let message = try #require(MailMessage(notice, settings, host: Samples.host, time: 0))
    #expect(message.recipients.count == MailMessage.recipientsMax)
    let lengths = lines(message).map(\.utf8.count)
    #expect(lengths.allSatisfy { $0 <= 998 }, "\(lengths.max() ?? 0)")
    #expect(String(data: Data(message.text), encoding: .utf8) != nil, "no character is cut in two")
  }

  @Test func otherLettersAreEncoded() throws {
    let settings = Samples.mail { ($0.routerID, $0.recipients) = ("Zürich", ["Jörg Ä <j@example.org>"]) }
    let notice = Notice(Samples.instance, .state(.master, priority: 1), detail: "é", sendsMail: true)
    let message = try #require(MailMessage(notice, settings, host: Samples.host, time: 0))
    let lines = lines(message)
    #expect(lines.allSatisfy { !$0.hasPrefix("Subject") || $0.isASCII })
    #expect(lines.contains("To: =?UTF-8?B?\(Data("Jörg Ä".utf8).base64EncodedString())?= <j@example.org>"))
    #expect(lines.contains("Content-Type: text/plain; charset=UTF-8"))
    #expect(lines.contains("=> é <="))
    #expect(Self.decoded(lines) == "[Zürich] VRRP Instance VI_1 - Entering MASTER state")
    #expect(lines.filter { $0.contains("=?UTF-8") }.allSatisfy { $0.utf8.count <= 76 }, "RFC 2047, section 2")
  }

  /// The subject, its words of RFC 2047 put together again.
  private static func decoded(_ lines: [String]) -> String {
    guard let start = lines.firstIndex(where: { $0.hasPrefix("Subject: ") }) else { return "" }
    let words =
      [String(lines[start].dropFirst(9))]
      + lines[(start + 1)...].prefix { $0.hasPrefix(" ") }.map { String($0.dropFirst()) }
    let bytes = words.flatMap { Data(base64Encoded: String($0.dropFirst(10).dropLast(2))) ?? Data() }
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test func base64IsThatOfOthers() {
    for count in 0..<80 {
      let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ count) }
      #expect(MailMessage.base64(bytes) == Data(bytes).base64EncodedString())
    }
  }

  @Test func addresses() {
    #expect(MailMessage.address(in: "  a@b ") == "a@b")
    #expect(MailMessage.address(in: "A <B> <c@d>") == "c@d")
    #expect(MailMessage.address(in: "A <c@d") == "c@d")
    #expect(MailMessage.address(in: "a@b>\r\nRCPT TO:<x@y") == "x@y", "no more than one address, and no command")
    #expect(MailMessage.address(in: "<a@b\r\nRCPT TO:x@y>") == nil)
    #expect(MailMessage.address(in: String(repeating: "a", count: 254)) != nil)
    #expect(MailMessage.address(in: String(repeating: "a", count: 255)) == nil)
  }

  /// In this process's zone, whichever it is, and in English.
  @Test func dates() {
    let formatter = DateFormatter()
    formatter.locale = Locale(identifier: "en_US_POSIX")
    formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss Z"
    for time in [0, 1, 951_782_400, 1_000_000_000, 1_767_225_599, 4_102_444_800] {
      #expect(MailMessage.date(time) == formatter.string(from: Date(timeIntervalSince1970: Double(time))))
    }
    #expect(MailMessage.date(.max) == "Thu, 01 Jan 1970 00:00:00 +0000", "a year that no calendar has")
  }
}
