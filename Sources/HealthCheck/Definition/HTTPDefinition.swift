/// HTTP_GET and SSL_GET: which pages are asked for, and how.
public struct HTTPDefinition: Hashable, Sendable {
  /// `http_protocol`: the request's version.
  public enum Version: Hashable, Sendable, CaseIterable {
    /// `1.0`
    case http10
    /// `1.0C`: HTTP/1.0 that asks for the connection to be closed.
    case http10Close
    /// `1.1`; it asks for the same.
    case http11
  }

  /// `url`: one page, and what it must be like.
  public struct Page: Hashable, Sendable {
    /// What stands in the request's first line.
    public var path: String
    /// `digest`: the MD5 sum of the body in hexadecimal.
    public var digest: String?
    /// `status_code`: which are good; empty is 200 to 299.
    public var statusCodes: [ClosedRange<Int>] = []
    /// `virtualhost`: the host asked for; nil is the check's.
    public var virtualHost: String?
    /// `regex` and its companions.
    public var pattern: PatternDefinition?

    /// A page that only has to be there.
    public init(path: String) { self.path = path }
  }

  /// `regex`: what a body must match, or must not.
  public struct PatternDefinition: Hashable, Sendable {
    /// In PCRE2's language.
    public var pattern: String
    /// `regex_no_match`
    public var mustNotMatch = false
    /// `regex_options`: PCRE2's names for them, in lower case.
    public var options: [String] = []
    /// `regex_min_offset`: where in the body a match may begin.
    public var minOffset = 0
    /// `regex_max_offset`: where it may begin at the latest; 0 is anywhere.
    public var maxOffset = 0

    /// A body must match `pattern`.
    public init(_ pattern: String) { self.pattern = pattern }
  }

  /// nil is plain text (HTTP_GET).
  public var tls: TLSDefinition?
  /// In the order they are asked for.
  public var pages: [Page]
  /// `virtualhost`: for pages that do not say; nil is the address and port connected to.
  public var virtualHost: String?
  /// The request's version.
  public var version = Version.http10
  /// `fast_recovery`: of a server that is down, pages are asked for one after the other without a wait.
  public var fastRecovery = false

  /// Pages in plain text, or over TLS.
  public init(pages: [Page], tls: TLSDefinition? = nil) {
    self.pages = pages
    self.tls = tls
  }
}

/// The client's side of TLS.
///
/// keepalived verifies nothing, so a server's certificate proves nothing unless `verifies` is set.
public struct TLSDefinition: Hashable, Sendable {
  /// `enable_sni`: the host's name is sent in the hello.
  public var sendsServerName = false
  /// The name sent for pages without a `virtualhost` of their own.
  public var serverName: String?
  /// The server's certificate must be good; and must be for the name sent, if one is sent.
  public var verifies = false
  /// `ca`: the file of the authorities it may come from; nil is the system's.
  public var authorityFile: String?
  /// `certificate`: the client's own, in PEM.
  public var certificateFile: String?
  /// `key`: of the client's certificate, in PEM.
  public var keyFile: String?
  /// `password`: of the key.
  public var password: String?

  /// No verification, no name, no certificate.
  public init() {}
}
