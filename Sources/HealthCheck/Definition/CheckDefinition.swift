import Wire

// One check as a value. Whoever reads a configuration fills these in completely: what is inherited from a service or a
// server is resolved before, there is nothing here that means "as above".

/// A check: what is asked, where, and when.
public struct CheckDefinition: Hashable, Sendable {
  /// What is asked, and which answer counts as well.
  public var kind: CheckKind
  /// Where to, and from where.
  public var target: CheckTarget
  /// When.
  public var times: CheckTimes

  /// A check.
  public init(_ kind: CheckKind, target: CheckTarget, times: CheckTimes = CheckTimes()) {
    self.kind = kind
    self.target = target
    self.times = times
  }
}

/// What is asked, and which answer counts as well.
public enum CheckKind: Hashable, Sendable {
  /// TCP_CHECK: a connection is accepted.
  case tcp
  /// HTTP_GET and SSL_GET: pages are as they should be.
  case http(HTTPDefinition)
  /// SMTP_CHECK: a mail server greets, and answers.
  case smtp(heloName: String)
  /// DNS_CHECK: a name server answers.
  case dns(DNSDefinition)
  /// MISC_CHECK: a script says so.
  case script(ScriptDefinition)
  /// PING_CHECK: an echo comes back.
  case ping
  /// UDP_CHECK: a datagram is answered, or at least not refused.
  case udp(UDPDefinition)
  /// FILE_CHECK: a file's number.
  case file(FileDefinition)
  /// BFD_CHECK: a session of that name is up.
  case bfd(name: String)

  /// The keyword of the configuration.
  public var name: String {
    switch self {
    case .tcp: "TCP_CHECK"
    case .http(let check): check.tls == nil ? "HTTP_GET" : "SSL_GET"
    case .smtp: "SMTP_CHECK"
    case .dns: "DNS_CHECK"
    case .script: "MISC_CHECK"
    case .ping: "PING_CHECK"
    case .udp: "UDP_CHECK"
    case .file: "FILE_CHECK"
    case .bfd: "BFD_CHECK"
    }
  }

  /// How many steps a round has, each an attempt of its own: pages of an HTTP check.
  var pageCount: Int {
    if case .http(let check) = self { return check.pages.count }
    return 1
  }
}

/// Where a check connects to, and from where.
public struct CheckTarget: Hashable, Sendable {
  /// `connect_ip`, or the real server's address.
  public var address: IPAddress
  /// `connect_port`, or the real server's port.
  public var port: UInt16
  /// `bindto`: the local address.
  public var bindAddress: IPAddress?
  /// `bind_port`: the local port.
  public var bindPort: UInt16?
  /// `bind_if`: the interface; link-local addresses of IPv6 need one.
  public var interface: String?
  /// `fwmark` on the check's packets; 0 is none.
  public var mark: UInt32 = 0
  /// `through_vip`: the way of clients' packets; nil is straight to the address.
  public var way: CheckWay?

  /// From anywhere.
  public init(_ endpoint: Endpoint) {
    address = endpoint.address
    port = endpoint.port
  }

  /// The other end.
  public var endpoint: Endpoint { Endpoint(address: address, port: port) }
}

/// When a check runs.
public struct CheckTimes: Hashable, Sendable {
  /// `delay_loop`: from the end of one attempt to the next.
  public var delayLoop: Duration = .seconds(60)
  /// `connect_timeout`: for a connection to be there, and again for every answer that is waited for.
  public var connectTimeout: Duration = .seconds(5)
  /// `retry`: failures in a row that are forgiven.
  public var retry = 1
  /// `delay_before_retry`: from a forgiven failure to the next attempt.
  public var delayBeforeRetry: Duration = .seconds(1)
  /// `warmup`: the first attempt comes after 1 second and a random part of this.
  public var warmup: Duration = .seconds(60)
  /// `alpha`: failed until the first success.
  public var alpha = false
  /// `log_all_failures`: failures that are forgiven are reported too.
  public var logAllFailures = false

  /// keepalived's defaults for a TCP check.
  public init() {}
}

extension Duration {
  /// Nanoseconds: 0 for what is negative, the largest number for what does not fit.
  var nanoseconds: UInt64 {
    let (seconds, attoseconds) = components
    guard seconds >= 0, attoseconds >= 0 else { return 0 }
    let (whole, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, carry) = whole.addingReportingOverflow(UInt64(attoseconds) / 1_000_000_000)
    return overflow || carry ? .max : sum
  }
}
