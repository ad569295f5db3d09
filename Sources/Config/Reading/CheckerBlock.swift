import Wire

// A checker's block, by its kind.

extension Checker {
  /// - Returns: nil with a warning when the block makes no check.
  init?(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    let checker: Checker?
    switch directive.keyword {
    case "TCP_CHECK": checker = Checker.plain(directive, .tcp, CheckerKeys.tcp, &diagnostics)
    case "PING_CHECK": checker = Checker.plain(directive, .ping, CheckerKeys.ping, &diagnostics)
    case "HTTP_GET", "SSL_GET": checker = Checker.http(directive, &diagnostics)
    case "SMTP_CHECK": checker = Checker.smtp(directive, &diagnostics)
    case "DNS_CHECK": checker = Checker.dns(directive, &diagnostics)
    case "MISC_CHECK": checker = Checker.misc(directive, &diagnostics)
    case "UDP_CHECK": checker = Checker.udp(directive, &diagnostics)
    case "FILE_CHECK": checker = Checker.file(directive, &diagnostics)
    case "BFD_CHECK": checker = Checker.bfd(directive, &diagnostics)
    default: checker = nil
    }
    guard let checker else { return nil }
    self = checker
  }

  private static func plain(
    _ directive: Directive, _ kind: Kind, _ keys: KeyTable<CheckerDraft<NoPayload>>,
    _ diagnostics: inout DiagnosticList
  ) -> Checker {
    var draft = CheckerDraft(payload: NoPayload())
    keys.read(directive.block, into: &draft, &diagnostics)
    return draft.checker(kind, at: directive.position)
  }

  private static func http(_ directive: Directive, _ diagnostics: inout DiagnosticList) -> Checker? {
    var draft = CheckerDraft(payload: HTTPCheck(usesTLS: directive.keyword == "SSL_GET"))
    if let other = directive.words.dropFirst().first {
      diagnostics.note(
        at: other.position, "\(quoted(other.text)) behind '\(directive.keyword)' is passed over, as keepalived does",
        remedy: "write HTTP_GET or SSL_GET")
    }
    CheckerKeys.http.read(directive.block, into: &draft, &diagnostics)
    for inner in directive.block?.directives ?? [] where inner.keyword == "url" {
      guard draft.payload.pages.count < Defaults.checkersMax else {
        diagnostics.warning(at: inner.position, "this checker has \(Defaults.checkersMax) urls, the rest is left out")
        break
      }
      var page = HTTPCheck.Page()
      page.position = inner.position
      CheckerKeys.page.read(inner.block, into: &page, &diagnostics)
      guard !page.path.isEmpty else {
        diagnostics.warning(at: inner.position, "this url has no path, it is left out", remedy: "add 'path /'")
        continue
      }
      if page.regexMaxOffset > 0, page.regexMaxOffset < page.regexMinOffset {
        diagnostics.warning(
          at: inner.position, "regex_max_offset is below regex_min_offset, it is ignored", remedy: "correct one")
        page.regexMaxOffset = 0
      }
      draft.payload.pages.append(page)
    }
    guard !draft.payload.pages.isEmpty else {
      diagnostics.warning(
        at: directive.position, "\(directive.keyword) has no url, the checker is left out",
        remedy: "add 'url { path / }'")
      return nil
    }
    return draft.checker(.http(draft.payload), at: directive.position)
  }

  private static func smtp(_ directive: Directive, _ diagnostics: inout DiagnosticList) -> Checker {
    var draft = CheckerDraft(payload: SMTPCheck())
    CheckerKeys.smtp.read(directive.block, into: &draft, &diagnostics)
    for inner in directive.block?.directives ?? [] where inner.keyword == "host" {
      var host = CheckerDraft(payload: NoPayload())
      CheckerKeys.smtpHost.read(inner.block, into: &host, &diagnostics)
      if draft.payload.hosts.count < Defaults.checkersMax { draft.payload.hosts.append(host.connection) }
      diagnostics.note(
        at: inner.position, "'host' is of an older keepalived: each is checked as if it had an SMTP_CHECK of its own")
    }
    return draft.checker(.smtp(draft.payload), at: directive.position)
  }

  private static func dns(_ directive: Directive, _ diagnostics: inout DiagnosticList) -> Checker {
    var draft = CheckerDraft(payload: DNSCheck())
    CheckerKeys.dns.read(directive.block, into: &draft, &diagnostics)
    return draft.checker(.dns(draft.payload), at: directive.position)
  }

  private static func misc(_ directive: Directive, _ diagnostics: inout DiagnosticList) -> Checker? {
    var draft = CheckerDraft(payload: MiscCheck())
    CheckerKeys.misc.read(directive.block, into: &draft, &diagnostics)
    guard draft.payload.command != nil else {
      diagnostics.warning(
        at: directive.position, "MISC_CHECK has no misc_path, the checker is left out",
        remedy: "add 'misc_path \"COMMAND\"'")
      return nil
    }
    return draft.checker(.misc(draft.payload), at: directive.position)
  }

  private static func udp(_ directive: Directive, _ diagnostics: inout DiagnosticList) -> Checker {
    var draft = CheckerDraft(payload: UDPCheck())
    CheckerKeys.udp.read(directive.block, into: &draft, &diagnostics)
    if draft.payload.minReplyLength > draft.payload.maxReplyLength {
      diagnostics.warning(
        at: directive.position, "min_reply_length is above max_reply_length: no reply is good", remedy: "correct one")
    }
    return draft.checker(.udp(draft.payload), at: directive.position)
  }

  private static func file(_ directive: Directive, _ diagnostics: inout DiagnosticList) -> Checker? {
    var draft = CheckerDraft(payload: FileCheck())
    CheckerKeys.file.read(directive.block, into: &draft, &diagnostics)
    guard !draft.payload.file.isEmpty else {
      diagnostics.warning(
        at: directive.position, "FILE_CHECK has no track_file, the checker is left out", remedy: "add 'track_file NAME'"
      )
      return nil
    }
    return draft.checker(.file(draft.payload), at: directive.position)
  }

  private static func bfd(_ directive: Directive, _ diagnostics: inout DiagnosticList) -> Checker? {
    var draft = CheckerDraft(payload: "")
    CheckerKeys.bfd.read(directive.block, into: &draft, &diagnostics)
    guard !draft.payload.isEmpty else {
      diagnostics.warning(
        at: directive.position, "BFD_CHECK has no name, the checker is left out", remedy: "add 'name BFD_INSTANCE'")
      return nil
    }
    return draft.checker(.bfd(name: draft.payload), at: directive.position)
  }
}
