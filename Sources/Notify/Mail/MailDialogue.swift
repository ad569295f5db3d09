/// One mail's way through SMTP (RFC 5321), without a network: bytes in, bytes out.
///
/// Banner, HELO, MAIL FROM, RCPT TO for each recipient, DATA, the text, QUIT; no TLS, no authentication, as keepalived. The mail
/// is sent when the server says so after the text; what it says to QUIT no longer matters. A recipient that is refused does not
/// keep the others from having it. However the server's bytes are cut, the same comes of them.
struct MailDialogue {
  /// What has become of the mail.
  enum Outcome: Hashable, Sendable {
    /// The server has it, but not for these.
    case sent(refused: [Refusal])
    /// The server does not take it, or not now.
    case refused(step: String, MailReply)
    /// No recipient was accepted.
    case noRecipients([Refusal])
    /// What the server says is not SMTP.
    case notUnderstood(step: String, reason: String)
  }

  /// A recipient that the server does not take.
  struct Refusal: Hashable, Sendable {
    let recipient: String
    let reply: MailReply
  }

  private enum Step {
    case banner
    case hello
    case sender
    case recipient(Int)
    case data
    case text
    case quit
    case over
  }

  /// nil until it is known.
  private(set) var outcome: Outcome?
  private let message: MailMessage
  private let heloName: String
  private var step = Step.banner
  private var reader = MailReplyReader()
  private var refusals: [Refusal] = []

  /// A dialogue that begins with the server's banner.
  init(_ message: MailMessage, heloName: String) {
    self.message = message
    self.heloName = MailDialogue.domain(heloName)
  }

  /// True when nothing more is to be said or heard: the connection can be closed.
  var isOver: Bool { if case .over = step { true } else { false } }

  /// Takes what the server says.
  /// - Returns: what is to be said next.
  mutating func receive(_ bytes: some Sequence<UInt8>) -> [UInt8] {
    var answer: [UInt8] = []
    for byte in bytes {
      if isOver { break }
      do throws(MailReplyReader.Fault) {
        if let reply = try reader.read(byte) { answer += go(on: reply) }
      } catch {
        let reason =
          switch error {
          case .tooLong: "an answer without an end"
          case .notSMTP(let line): "'\(line)'"
          }
        end(.notUnderstood(step: name, reason: reason))
        step = .over
      }
    }
    return answer
  }

  /// What the server is being asked, to be read after "to".
  var name: String {
    switch step {
    case .banner: "connecting"
    case .hello: "HELO"
    case .sender: "MAIL FROM"
    case .recipient(let index): "RCPT TO:<\(message.recipients[index])>"
    case .data: "DATA"
    case .text: "the mail's text"
    case .quit, .over: "QUIT"
    }
  }

  private mutating func end(_ outcome: Outcome) {
    if self.outcome == nil { self.outcome = outcome }
  }

  private mutating func go(on reply: MailReply) -> [UInt8] {
    switch step {
    case .banner: return proceed(reply, expecting: 220, to: .hello, "HELO \(heloName)")
    case .hello: return proceed(reply, expecting: 250, to: .sender, "MAIL FROM:<\(message.sender)>")
    case .sender: return proceed(reply, expecting: 250, to: .recipient(0), recipientLine(0))
    case .recipient(let index):
      // 421: the server is about to close the connection.
      if reply.code == 421 { return refuse(reply) }
      // 251: it will pass it on.
      if reply.code != 250 && reply.code != 251 {
        refusals.append(Refusal(recipient: message.recipients[index], reply: reply))
      }
      if index + 1 < message.recipients.count {
        step = .recipient(index + 1)
        return line(recipientLine(index + 1))
      }
      guard refusals.count < message.recipients.count else {
        end(.noRecipients(refusals))
        return quit()
      }
      step = .data
      return line("DATA")
    case .data:
      guard reply.code == 354 else { return refuse(reply) }
      step = .text
      return MailDialogue.dotted(message.text)
    case .text:
      guard reply.code == 250 else { return refuse(reply) }
      end(.sent(refused: refusals))
      return quit()
    case .quit, .over:
      step = .over
      return []
    }
  }

  private mutating func proceed(_ reply: MailReply, expecting code: Int, to next: Step, _ text: String) -> [UInt8] {
    guard reply.code == code else { return refuse(reply) }
    step = next
    return line(text)
  }

  private mutating func refuse(_ reply: MailReply) -> [UInt8] {
    end(.refused(step: name, reply))
    return quit()
  }

  private mutating func quit() -> [UInt8] {
    step = .quit
    return line("QUIT")
  }

  private func recipientLine(_ index: Int) -> String {
    index < message.recipients.count ? "RCPT TO:<\(message.recipients[index])>" : "RSET"
  }

  private func line(_ text: String) -> [UInt8] { Array(text.utf8) + [0x0d, 0x0a] }

  /// The text with its end: a line that begins with a dot has another one before it (section 4.5.2).
  static func dotted(_ text: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count + 8)
    var isAtStart = true
    for byte in text {
      if isAtStart && byte == UInt8(ascii: ".") { bytes.append(byte) }
      bytes.append(byte)
      isAtStart = byte == 0x0a
    }
    if !isAtStart { bytes += [0x0d, 0x0a] }
    return bytes + Array(".\r\n".utf8)
  }

  /// A name that can stand behind HELO.
  private static func domain(_ name: String) -> String {
    let isUsable = (1...255).contains(name.utf8.count) && name.utf8.allSatisfy { (0x21..<0x7f).contains($0) }
    return isUsable ? name : "localhost"
  }
}
