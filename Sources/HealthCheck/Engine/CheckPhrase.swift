// What log lines say. People search their logs for keepalived's words, so where it has words for something, those are
// used; its own spelling differs from checker to checker, and so it does here.

extension CheckReport {
  /// The line for the log; nil when keepalived says nothing and there is nothing to add.
  public var phrase: String? {
    switch event {
    case .added: nil
    case .verdict(_, let failures): verdict == .well ? successPhrase : failurePhrase(failures)
    case .weight, .confirmed: nil
    case .attempt: error?.phrase(of: definition.kind, server: id.server)
    case .notRun:
      "\(definition.kind.name) on service \(id.server) cannot run, the server stays as it is: \(error?.reason ?? "")"
    }
  }

  private var successPhrase: String {
    let server = id.server
    return switch definition.kind {
    case .tcp: "TCP connection to \(server) success."
    case .http: "Remote Web server \(server) succeed on service."
    case .smtp: "Remote SMTP server \(server) succeed on service."
    case .ping: "ICMP connection to \(server) success."
    case .udp: "UDP connection to \(server) success."
    case .dns: "DNS_CHECK (\(server)) success."
    case .script(let script): "Misc check for [\(server) VS \(id.service)] by [\(script.name)] succeeded."
    case .file, .bfd: "\(definition.kind.name) on service \(server) success."
    }
  }

  private func failurePhrase(_ failures: Int) -> String {
    let server = id.server
    let retries = failures - 1
    let after = retries > 0 ? " after \(retries) retries" : ""
    return switch definition.kind {
    case .tcp, .smtp, .udp, .file, .bfd: "\(definition.kind.name) on service \(server) failed\(after)."
    case .http: "HTTP_CHECK on service \(server) failed\(after)."
    case .ping: "ICMP CHECK on service \(server) failed\(after)."
    case .dns: "DNS_CHECK (\(server)) \(error?.nameServerWords ?? "failed")\(after)"
    case .script(let script):
      "Misc check for [\(server) VS \(id.service)] by [\(script.name)] failed\(after)\(error?.scriptWords ?? "")."
    }
  }
}

extension CheckError {
  /// A failure that may yet be forgiven.
  func phrase(of kind: CheckKind, server: String) -> String {
    switch (self, kind) {
    case (.connectTimeout, .tcp): "TCP connection to \(server) timeout."
    case (.connect, .tcp): "TCP connection to \(server) failed."
    case (.connectTimeout, .smtp): "Connection timeout to server \(server)"
    case (.connectTimeout, _): "Timeout connecting server \(server)."
    case (.connect, .http), (.connect, .smtp): "Error connecting to server \(server)"
    case (.handshake, _): "SSL handshake/communication error connecting to server \(server)."
    case (.readTimeout, .http), (.deadline, .http): "Timeout WEB read server \(server)."
    case (.readTimeout, .smtp), (.deadline, .smtp): "Read timeout from server \(server)"
    case (.noData, .http), (.incomplete, .http): "Read, no data received from server \(server)."
    case (.read, .http): "Read error with server \(server): \(reason)"
    case (.read, .smtp), (.noData, .smtp), (.incomplete, .smtp): "Read failure from server \(server)"
    case (.status, _): "HTTP status code error to server \(server)."
    case (.digest, _): "MD5 digest error to server \(server)."
    case (.noMatch, _), (.match, _), (.matchLimit, _): "Regex match failed server \(server)."
    case (.greeting, _): "Bad greeting banner from server \(server)"
    case (.helo, _): "Bad HELO response from server \(server)"
    case (_, .ping): "ICMP connection to \(server) failed."
    case (_, .dns): "DNS_CHECK (\(server)) \(nameServerWords)"
    default: "\(kind.name) on service \(server): \(reason)"
    }
  }

  /// What keepalived says of name servers.
  fileprivate var nameServerWords: String {
    switch self {
    case .readTimeout, .deadline: "read timeout from socket"
    case .connect, .read: "connection error."
    case .responseCode(let code): "read error occurred. (rcode = \(code))"
    default: reason
    }
  }

  /// And of how scripts end.
  fileprivate var scriptWords: String {
    switch self {
    case .exited(let code): " (exited with status \(code))"
    case .signalled(let signal): " (due to signal \(signal))"
    case .scriptTimeout: " (timed out)"
    default: ""
    }
  }
}

extension ScriptDefinition {
  /// The program.
  fileprivate var name: String { words.first ?? "" }
}
