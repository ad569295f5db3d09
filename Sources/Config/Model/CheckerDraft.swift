import Wire

// A checker's block while it is read, and the keywords that several kinds of checkers have.

/// A block with what is particular to its kind.
struct CheckerDraft<Payload: Sendable>: Timed {
  var payload: Payload
  var connection = CheckConnection()
  var timing = CheckTiming()
  var origins = Origins()

  /// The checker, with the levels above it.
  func checker(_ kind: Checker.Kind, at position: Position) -> Checker {
    var checker = Checker(kind)
    checker.connection = connection
    checker.timing = timing
    checker.origins = origins
    checker.position = position
    return checker
  }
}

/// Nothing particular.
struct NoPayload: Sendable {}

extension CheckerDraft {
  /// Where to connect, and when to check.
  static var connecting: [Key<CheckerDraft>] { target + TimingKeys.checker() + [timeout] }

  static var timeout: Key<CheckerDraft> {
    .time("connect_timeout", \.timing.connectTimeout, .microseconds(1)...Duration.longest)
  }

  static var target: [Key<CheckerDraft>] {
    [
      .address("connect_ip", \.connection.address),
      .integer("connect_port", \.connection.port, 1...65535),
      .address("bindto", \.connection.bindAddress),
      .integer("bind_port", \.connection.bindPort, 1...65535),
      .interface("bind_if", \.connection.bindInterface),
      .integer("fwmark", \.connection.mark, 0...Int(UInt32.max)),
      .flag("through_vip", \.connection.throughVIP),
    ]
  }

  /// keepalived knows the keyword in HTTP checks only and passes over it elsewhere; its author meant a retry.
  static func misplacedRetry(in kind: BlockKind, standard: Int = 1) -> Key<CheckerDraft> {
    Key("nb_get_retry", "0…2147483647", show: { _ in nil }) { directive, model, diagnostics in
      guard let value = directive.number(in: 0...Int(Int32.max), &diagnostics) else { return false }
      diagnostics.warning(
        at: directive.position,
        "'nb_get_retry' is not known in \(kind.name): it is read as 'retry \(value)', keepalived would keep "
          + (model.timing.retry.map(String.init) ?? "\(standard), or what the blocks around it say"),
        remedy: "write 'retry \(value)' if that is meant, else remove the line")
      model.timing.retry = value
      return true
    }
  }
}

/// The tables of all kinds of checkers.
enum CheckerKeys {
  static let tcp = KeyTable<CheckerDraft<NoPayload>>(
    CheckerDraft.connecting + [CheckerDraft.misplacedRetry(in: .tcpCheck)])

  static let ping = KeyTable<CheckerDraft<NoPayload>>(
    CheckerDraft.connecting + [CheckerDraft.misplacedRetry(in: .pingCheck)])

  static let smtpHost = KeyTable<CheckerDraft<NoPayload>>(CheckerDraft.connecting)

  static let http = KeyTable<CheckerDraft<HTTPCheck>>(
    CheckerDraft.connecting + [
      .text("virtualhost", \.payload.virtualHost, "HOST"),
      .choice(
        "http_protocol", \.payload.version, HTTPCheck.Version.allCases.map { ($0.rawValue, $0) }, show: \.rawValue),
      .flag("enable_sni", \.payload.usesSNI),
      .flag("fast_recovery", \.payload.fastRecovery),
      Key("nb_get_retry", "0…2147483647", show: { _ in nil }) { directive, model, diagnostics in
        guard let value = directive.number(in: 0...Int(Int32.max), &diagnostics) else { return false }
        diagnostics.note(at: directive.position, "'nb_get_retry' is the old name of 'retry'")
        model.timing.retry = value
        return true
      },
    ])

  static let page = KeyTable<HTTPCheck.Page>([
    .text("path", \.path, "PATH"),
    Key("digest", "MD5", show: \.digest) { readDigest($0, &$1, &$2) },
    Key("status_code", "CODE | FIRST-LAST …", show: { $0.statusCodesText }) { $1.readStatusCodes($0, &$2) },
    .text("virtualhost", \.virtualHost, "HOST"),
    Key("regex", "\"PATTERN\"", show: \.regex) { directive, page, diagnostics in
      guard let command = directive.text(0, "a pattern", &diagnostics) else { return false }
      let parts = directive.raw.count <= Defaults.textBytesMax ? ScriptCommand.parts(of: directive.raw) : []
      page.regex = parts.count > 1 ? parts[1] : command
      return true
    },
    .presence("regex_no_match", \.regexMustNotMatch),
    Key("regex_options", "OPTION …", show: { $0.regexOptions.isEmpty ? nil : $0.regexOptions.joined(separator: " ") }) {
      $1.readOptions($0, &$2)
    },
    .integer("regex_min_offset", \.regexMinOffset, 0...Int(Int32.max)),
    .integer("regex_max_offset", \.regexMaxOffset, 0...Int(Int32.max)),
    Key("regex_stack", "START MAX", show: { _ in nil }) { directive, page, diagnostics in
      guard let start = directive.number(0, in: 1...1 << 30, &diagnostics),
        let most = directive.number(1, in: 1...1 << 30, &diagnostics)
      else { return false }
      page.regexStackBytes = [start, most]
      return true
    },
  ])

  static let smtp = KeyTable<CheckerDraft<SMTPCheck>>(
    CheckerDraft.connecting + [
      CheckerDraft.misplacedRetry(in: .smtpCheck), .text("helo_name", \.payload.heloName, "NAME"),
    ])

  static let dns = KeyTable<CheckerDraft<DNSCheck>>(
    CheckerDraft.connecting + [
      CheckerDraft.misplacedRetry(in: .dnsCheck, standard: 3),
      Key("type", DNSCheck.types.joined(separator: " | "), show: { $0.payload.type }) { directive, draft, diagnostics in
        guard let word = directive.argument(0, "a type of record", &diagnostics, severity: .warning) else {
          return false
        }
        guard DNSCheck.types.contains(word.text.uppercased()) else {
          directive.refuse(word, "one of " + DNSCheck.types.joined(separator: ", "), &diagnostics)
          return false
        }
        draft.payload.type = word.text.uppercased()
        return true
      },
      .text("name", \.payload.name, "NAME"),
    ])

  static let misc = KeyTable<CheckerDraft<MiscCheck>>(
    TimingKeys.checker() + [
      .command("misc_path", \.payload.command),
      .time("misc_timeout", \.payload.timeout, .microseconds(1)...Duration.longest),
      .presence("misc_dynamic", \.payload.isDynamic),
      Key("user", "USER [GROUP]", show: { $0.payload.user }) { directive, draft, diagnostics in
        guard let user = directive.text(0, "a user", &diagnostics) else { return false }
        draft.payload.user = user
        draft.payload.group = directive.words.count > 2 ? directive.words[2].text : nil
        return true
      },
    ])

  static let udp = KeyTable<CheckerDraft<UDPCheck>>(
    CheckerDraft.connecting + [
      CheckerDraft.misplacedRetry(in: .udpCheck),
      Key("payload", "HEX", show: { $0.payload.payload.map(hexText) }) { directive, draft, diagnostics in
        guard let pattern = directive.pattern(allowsAny: false, &diagnostics) else { return false }
        draft.payload.payload = pattern.bytes
        return true
      },
      Key("require_reply", "[HEX, x for any digit]", show: { $0.payload.requiresReply ? "on" : "off" }) {
        directive, draft, diagnostics in
        if directive.words.count > 1 {
          guard let pattern = directive.pattern(allowsAny: true, &diagnostics) else { return false }
          (draft.payload.replyBytes, draft.payload.replyMask) = pattern
        }
        draft.payload.requiresReply = true
        return true
      },
      .integer("min_reply_length", \.payload.minReplyLength, 0...65535),
      .integer("max_reply_length", \.payload.maxReplyLength, 0...65535),
    ])

  static let file = KeyTable<CheckerDraft<FileCheck>>([
    .text("track_file", \.payload.file, "NAME"),
    Key("weight", "-2147483647…2147483647 [reverse]", show: { $0.payload.weight.map(String.init) }) {
      directive, draft, diagnostics in
      let range = -Int(Int32.max)...Int(Int32.max)
      guard let weight = directive.number(0, in: range, &diagnostics) else { return false }
      draft.payload.weight = weight
      draft.payload.isReversed = directive.words.dropFirst(2).first?.text == "reverse"
      return true
    },
  ])

  static let bfd = KeyTable<CheckerDraft<String>>([
    .text("name", \.payload, "NAME"), .flag("alpha", \.timing.alpha),
  ])
}

private func readDigest(
  _ directive: Directive, _ page: inout HTTPCheck.Page, _ diagnostics: inout DiagnosticList
) -> Bool {
  guard let word = directive.argument(0, "an MD5 sum", &diagnostics, severity: .warning) else { return false }
  let text = word.text.lowercased()
  guard text.utf8.count == 32, text.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) else {
    directive.refuse(word, "32 hexadecimal digits", &diagnostics)
    return false
  }
  guard page.digest == nil else {
    diagnostics.warning(at: word.position, "this url has a digest already, this one is left out", remedy: "keep one")
    return false
  }
  page.digest = text
  return true
}

private func hexText(_ bytes: [UInt8]) -> String {
  bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}

extension HTTPCheck.Page {
  /// `200 301-303`, or the default.
  var statusCodesText: String {
    let codes = statusCodes.isEmpty ? [200...299] : statusCodes
    return codes.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      .joined(separator: " ")
  }

  fileprivate mutating func readStatusCodes(_ directive: Directive, _ diagnostics: inout DiagnosticList) -> Bool {
    guard directive.argument(0, "a status code", &diagnostics, severity: .warning) != nil else { return false }
    var isRead = false
    for word in directive.arguments.prefix(500) where statusCodes.count < 500 {
      let ends = word.text.split(separator: "-", omittingEmptySubsequences: false).map { decimal(String($0)) ?? 0 }
      guard (1...2).contains(ends.count), let first = ends.first, let last = ends.last, first <= last,
        (100...599).contains(first), (100...599).contains(last)
      else {
        directive.refuse(word, "codes from 100 to 599, or FIRST-LAST", &diagnostics)
        continue
      }
      if !statusCodes.contains(first...last) { statusCodes.append(first...last) }
      isRead = true
    }
    return isRead
  }

  fileprivate mutating func readOptions(_ directive: Directive, _ diagnostics: inout DiagnosticList) -> Bool {
    var isRead = false
    for word in directive.arguments.prefix(100) {
      guard Defaults.regexOptions.contains(word.text) else {
        directive.refuse(word, "one of " + Defaults.regexOptions.joined(separator: ", "), &diagnostics)
        continue
      }
      if !regexOptions.contains(word.text) { regexOptions.append(word.text) }
      isRead = true
    }
    return isRead
  }
}

extension Directive {
  /// Bytes in hexadecimal, all words put together; `x` is a digit that may be any.
  fileprivate func pattern(
    allowsAny: Bool, _ diagnostics: inout DiagnosticList
  ) -> (bytes: [UInt8], mask: [UInt8])? {
    guard let word = argument(0, "bytes in hexadecimal", &diagnostics, severity: .warning) else { return nil }
    var bytes: [UInt8] = []
    var mask: [UInt8] = []
    let digits = Array(arguments.flatMap { Array($0.text.utf8) }.prefix(2 * 65536 + 2))
    var isSound = digits.count.isMultiple(of: 2) && digits.count <= 2 * 65536
    for (index, digit) in digits.enumerated() where isSound {
      let isAny = digit == UInt8(ascii: "x") || digit == UInt8(ascii: "X")
      guard let value = isAny && allowsAny ? 0 : Character(UnicodeScalar(digit)).hexDigitValue else {
        isSound = false
        break
      }
      if index.isMultiple(of: 2) {
        bytes.append(UInt8(value) << 4)
        mask.append(isAny ? 0 : 0xf0)
      } else {
        bytes[bytes.count - 1] |= UInt8(value)
        mask[mask.count - 1] |= isAny ? 0 : 0x0f
      }
    }
    guard isSound else {
      refuse(word, "pairs of hexadecimal digits" + (allowsAny ? ", x for any" : ""), &diagnostics)
      return nil
    }
    return (bytes, mask)
  }
}
