import Wire

// One check of one real server: what is asked, where, and when. What is not written has been filled in from the levels
// above; the engine that runs checks reads nothing else.

/// A check of a real server.
public struct Checker: Hashable, Sendable, Traced {
  /// What is checked, and what counts as well.
  public enum Kind: Hashable, Sendable {
    /// A connection is accepted.
    case tcp
    /// Pages are as they should be; with TLS or without.
    case http(HTTPCheck)
    /// A mail server greets, and answers.
    case smtp(SMTPCheck)
    /// A name server answers.
    case dns(DNSCheck)
    /// A script says so.
    case misc(MiscCheck)
    /// An echo comes back.
    case ping
    /// A datagram is answered, or at least not refused.
    case udp(UDPCheck)
    /// A file's number.
    case file(FileCheck)
    /// A BFD session.
    case bfd(name: String)
  }

  /// What is checked.
  public var kind: Kind
  /// Where to; nil is the real server itself.
  public var connection = CheckConnection()
  /// As the checker's own block says it.
  public var timing = CheckTiming()
  /// When it runs, with what the real server and the virtual server say.
  public var schedule: CheckSchedule
  /// Which keywords were written, and where.
  public var origins = Origins()
  /// Where it was configured.
  public var position: Position?

  /// A check with every default.
  public init(_ kind: Kind) {
    self.kind = kind
    schedule = CheckSchedule(CheckTiming(), of: kind)
  }

  /// `TCP_CHECK` and its like.
  public var name: String {
    switch kind {
    case .tcp: "TCP_CHECK"
    case .http(let check): check.usesTLS ? "SSL_GET" : "HTTP_GET"
    case .smtp: "SMTP_CHECK"
    case .dns: "DNS_CHECK"
    case .misc: "MISC_CHECK"
    case .ping: "PING_CHECK"
    case .udp: "UDP_CHECK"
    case .file: "FILE_CHECK"
    case .bfd: "BFD_CHECK"
    }
  }
}

/// Where a check connects to, and from.
public struct CheckConnection: Hashable, Sendable {
  /// nil is the real server's address.
  public var address: IPAddress?
  /// nil is the real server's port.
  public var port: Int?
  /// The local address.
  public var bindAddress: IPAddress?
  /// The local port.
  public var bindPort: Int?
  /// The interface.
  public var bindInterface: String?
  /// A firewall mark for the check's packets; 0 is none.
  public var mark = 0
  /// The check takes the way of the clients' packets: an addition of lbd's.
  public var throughVIP = false

  /// The real server itself, from anywhere.
  public init() {}
}

/// What an HTTP check asks for.
public struct HTTPCheck: Hashable, Sendable {
  /// The protocol of the request.
  public enum Version: String, Hashable, Sendable, CaseIterable {
    /// HTTP/1.0
    case http10 = "1.0"
    /// HTTP/1.0, asking that the connection be closed.
    case http10Close = "1.0C"
    /// HTTP/1.1
    case http11 = "1.1"
  }

  /// One page.
  public struct Page: Hashable, Sendable, Traced {
    /// What stands in the request's first line.
    public var path = ""
    /// The MD5 sum of the body, as 32 hexadecimal digits in lower case.
    public var digest: String?
    /// Which status codes are good; empty is 200 to 299.
    public var statusCodes: [ClosedRange<Int>] = []
    /// The host asked for; nil is the checker's.
    public var virtualHost: String?
    /// What the body must match, a pattern of PCRE2.
    public var regex: String?
    /// The body must not match.
    public var regexMustNotMatch = false
    /// PCRE2's options by name.
    public var regexOptions: [String] = []
    /// Where in the body a match may begin.
    public var regexMinOffset = 0
    /// Where it may begin at the latest; 0 is anywhere.
    public var regexMaxOffset = 0
    /// The memory of the matcher in bytes, first and at most.
    public var regexStackBytes: [Int] = []
    /// Which keywords were written, and where.
    public var origins = Origins()
    /// Where it was configured.
    public var position: Position?

    /// A page with every default.
    public init() {}
  }

  /// Over TLS.
  public var usesTLS: Bool
  /// In the order they are asked for, at least one.
  public var pages: [Page] = []
  /// The host asked for; nil is the server's, else the address.
  public var virtualHost: String?
  /// How it is asked.
  public var version = Version.http10
  /// The host's name is sent in TLS's hello.
  public var usesSNI = false
  /// A server that is down is asked without waits between the pages.
  public var fastRecovery = false

  /// A check without pages.
  public init(usesTLS: Bool) { self.usesTLS = usesTLS }
}

/// What an SMTP check says.
public struct SMTPCheck: Hashable, Sendable {
  /// The name it greets with.
  public var heloName = Defaults.heloName
  /// Further places to check, of the form that keepalived has given up.
  public var hosts: [CheckConnection] = []

  /// The defaults.
  public init() {}
}

/// What a name server is asked.
public struct DNSCheck: Hashable, Sendable {
  /// Types of records.
  public static let types = ["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY"]

  /// One of `types`.
  public var type = "SOA"
  /// The name asked for; `.` is the root.
  public var name = "."

  /// The defaults.
  public init() {}
}

/// A script that checks.
public struct MiscCheck: Hashable, Sendable {
  /// What runs.
  public var command: ScriptCommand?
  /// How long it may run; nil is the time between checks.
  public var timeout: Duration?
  /// Its exit code is a weight.
  public var isDynamic = false
  /// As whom it runs, where the command does not say.
  public var user: String?
  /// And with which group.
  public var group: String?

  /// The defaults.
  public init() {}
}

/// What a UDP check sends, and what it waits for.
public struct UDPCheck: Hashable, Sendable {
  /// What is sent; nil is some text.
  public var payload: [UInt8]?
  /// Silence is a failure.
  public var requiresReply = false
  /// What the answer must be: its bytes, and which of their bits count.
  public var replyBytes: [UInt8] = []
  /// As long as `replyBytes`; a zero bit may be anything.
  public var replyMask: [UInt8] = []
  /// Bytes that an answer has at least.
  public var minReplyLength = 0
  /// Bytes that it has at most.
  public var maxReplyLength = 255

  /// The defaults.
  public init() {}
}

/// A file whose number says how well the server is.
public struct FileCheck: Hashable, Sendable {
  /// The `track_file` it follows.
  public var file = ""
  /// The number is multiplied by this and added to the server's weight; 0: any other number than 0 is a failure.
  public var weight: Int?
  /// With the sign turned round.
  public var isReversed = false

  /// The defaults.
  public init() {}
}

extension Checker {
  /// Why this check cannot go the way of clients' packets to a server of DR or TUN; nil when it can.
  public func obstacleThroughVIP(of service: ServiceKey, to server: IPAddress) -> String? {
    guard case .address(let transport, let virtual) = service else { return "a mark has no address to go to" }
    if virtual.address.family != server.family { return "the server is of another family than the VIP" }
    if connection.address != nil { return "it has a connect_ip, which clients' packets do not go to" }
    let needed: TransportProtocol
    switch kind {
    case .tcp, .http, .smtp: needed = .tcp
    case .dns: needed = .udp
    case .udp(let check):
      guard check.requiresReply else { return "without require_reply it lives by refusals, which do not come back" }
      needed = .udp
    case .ping, .misc, .file, .bfd: return "it is not sent to a port"
    }
    return needed == transport ? nil : "clients of this service do not speak \(needed.name)"
  }
}
