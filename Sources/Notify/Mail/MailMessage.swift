import Glibc

/// A mail as it goes to the server (RFC 5322): headers, one line of text, for some addresses.
///
/// Whatever comes from a configuration may be anything: control characters would begin other headers, long values would make
/// lines that servers refuse (998 bytes), and letters beyond ASCII need the form of RFC 2047.
struct MailMessage: Hashable, Sendable {
  /// Names that mails begin with where the configuration gives none.
  struct Host: Hashable, Sendable {
    /// The host's name.
    var name: String
    /// The user's.
    var user: String

    /// This process's.
    static var own: Host {
      var bytes = [CChar](repeating: 0, count: 256)
      guard gethostname(&bytes, bytes.count - 1) == 0 else { return Host(name: "localhost", user: PasswordFile.ownName) }
      let name = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      return Host(name: name.isEmpty ? "localhost" : name, user: PasswordFile.ownName)
    }
  }

  /// The sender's address alone.
  let sender: String
  /// The recipients' addresses alone; those that have not got it yet.
  var recipients: [String]
  /// What the subject says, for the log.
  let subject: String
  /// Headers and text, lines ended by CR and LF, without the dots of SMTP.
  let text: [UInt8]

  private static let lineBytesMax = 998
  private static let subjectBytesMax = 512
  /// What every server must take: RFC 5321 4.5.3.1.8.
  static let recipientsMax = 100

  /// A mail about a notice; nil when there is none about it, or nobody to send it to.
  /// - Parameter time: seconds since 1970, told in local time.
  init?(_ notice: Notice, _ settings: NotifierSettings.Mail, host: Host, time: time_t) {
    guard let what = notice.mailSubject else { return nil }
    let sender = settings.sender ?? "\(host.user)@\(host.name)"
    recipients = Array(settings.recipients.compactMap(MailMessage.address(in:)).prefix(MailMessage.recipientsMax))
    guard !recipients.isEmpty else { return nil }
    self.sender = MailMessage.address(in: sender) ?? "\(host.user)@localhost"
    subject = "[\(settings.routerID ?? host.name)] \(what)".withoutControls
    let body = notice.mailBody.withoutControls
    var headers = [
      "Date: \(MailMessage.date(time))", "From: \(MailMessage.mailbox(sender))",
      "Subject: \(MailMessage.encoded(subject.cut(MailMessage.subjectBytesMax)))",
      "To: \(MailMessage.list(settings.recipients))", "X-Mailer: Keepalived",
    ]
    if !body.isASCII {
      headers += [
        "MIME-Version: 1.0", "Content-Type: text/plain; charset=UTF-8", "Content-Transfer-Encoding: 8bit",
      ]
    }
    headers += ["", body.cut(MailMessage.lineBytesMax - 2), ""]
    text = Array(headers.joined(separator: "\r\n").utf8)
  }

  /// The address in `Name <address>`, or all of it; nil when it cannot be one.
  static func address(in text: String) -> String? {
    var address = Substring(text)
    if let open = address.lastIndex(of: "<") {
      address = address[address.index(after: open)...].prefix { $0 != ">" }
    }
    address = address.trimmed
    // RFC 5321 4.5.3.1.3: a path has at most 256 bytes, brackets included.
    let isUsable =
      (1...254).contains(address.utf8.count)
      && address.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "<") && $0 != UInt8(ascii: ">") }
    return isUsable ? String(address) : nil
  }

  /// `Thu, 26 Nov 2026 08:15:04 +0100`, whatever language the process speaks.
  static func date(_ time: time_t) -> String {
    var (time, parts) = (time, tm())
    guard localtime_r(&time, &parts) != nil else { return "Thu, 01 Jan 1970 00:00:00 +0000" }
    let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    let offset = Int32(clamping: parts.tm_gmtoff / 60)
    let zone = "\(offset < 0 ? "-" : "+")\(two(abs(offset) / 60))\(two(abs(offset) % 60))"
    let clock = "\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))"
    return "\(days[Int(parts.tm_wday) % 7]), \(two(parts.tm_mday)) \(months[Int(parts.tm_mon) % 12]) "
      + "\(Int(parts.tm_year) + 1900) \(clock) \(zone)"
  }

  /// All recipients as they were written, on lines that are not too long.
  private static func list(_ recipients: [String]) -> String {
    let names = recipients.filter { address(in: $0) != nil }.map(mailbox)
    let line = names.joined(separator: ", ")
    return line.utf8.count + 4 <= lineBytesMax ? line : names.joined(separator: ",\r\n ")
  }

  /// `Name <address>` as a header has it: only the name may need another form.
  private static func mailbox(_ text: String) -> String {
    guard !text.isASCII, let open = text.lastIndex(of: "<"), let address = address(in: text) else {
      return text.withoutControls.cut(lineBytesMax - 16)
    }
    return "\(encoded(String(text[..<open].trimmed).cut(subjectBytesMax))) <\(address)>"
  }

  /// A header's value: as it is if it is plain, else in words of RFC 2047, at most 75 bytes each.
  static func encoded(_ text: String) -> String {
    let text = text.withoutControls
    if text.isASCII { return text.cut(lineBytesMax - 16) }
    var words: [String] = []
    var chunk: [UInt8] = []
    for scalar in text.unicodeScalars {
      let bytes = Array(String(scalar).utf8)
      if chunk.count + bytes.count > 45 {
        words.append(base64(chunk))
        chunk = []
      }
      chunk += bytes
    }
    words.append(base64(chunk))
    return words.map { "=?UTF-8?B?\($0)?=" }.joined(separator: "\r\n ")
  }

  /// RFC 4648, section 4.
  static func base64(_ bytes: [UInt8]) -> String {
    let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: 3) {
      let group = bytes[start..<min(start + 3, bytes.count)]
      var value: UInt32 = 0
      for index in 0..<3 { value = value << 8 | UInt32(index < group.count ? group[start + index] : 0) }
      for index in 0..<4 {
        text.append(index <= group.count ? letters[Int(value >> (18 - 6 * UInt32(index)) & 63)] : "=")
      }
    }
    return text
  }
}

extension StringProtocol {
  var isASCII: Bool { utf8.allSatisfy { $0 < 0x80 } }

  /// Without blanks at its ends.
  var trimmed: SubSequence {
    let start = drop { $0 == " " || $0 == "\t" }
    let blanks = start.reversed().prefix { $0 == " " || $0 == "\t" }.count
    return start.dropLast(blanks)
  }

  /// At most so many bytes, whole characters of Unicode.
  func cut(_ byteCount: Int) -> String {
    guard utf8.count > byteCount else { return String(self) }
    var text = String.UnicodeScalarView()
    var count = 0
    for scalar in unicodeScalars {
      count += UTF8.width(scalar)
      if count > byteCount { break }
      text.append(scalar)
    }
    return String(text)
  }
}
