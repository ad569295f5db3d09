import Kernel

/// Why an attempt failed, or could not be made.
///
/// What a server has sent never appears in here but as numbers: these texts go to logs and terminals.
public enum CheckError: Error, Hashable, Sendable {
  /// No connection within the time for it.
  case connectTimeout
  /// The connection was refused, or the way there is closed: the errno.
  case connect(Int32)
  /// The attempt could not be made, which says nothing about the server: the step, to be read after "cannot", and the
  /// errno.
  case cannotRun(step: String, errno: Int32)
  /// What is configured cannot be asked: what is wrong with it.
  case definition(String)
  /// TLS did not come about: the library's words.
  case handshake(String)
  /// Nothing came within the time for an answer.
  case readTimeout
  /// Something came all the time, but no end: the attempt as a whole has a limit.
  case deadline
  /// The connection broke while an answer was read: the errno.
  case read(Int32)
  /// The connection was closed without a byte.
  case noData
  /// The connection was closed before the answer was complete.
  case incomplete
  /// More was sent than an answer may have.
  case tooLong
  /// What was sent is no answer of this protocol.
  case malformed
  /// HTTP: a status that is not among the good ones; 0 when there was no number.
  case status(Int)
  /// HTTP: the body has this MD5 sum.
  case digest(String)
  /// HTTP: the body does not match.
  case noMatch
  /// HTTP: the body matches, and must not.
  case match
  /// HTTP: the pattern needs more steps with this body than an attempt may take.
  case matchLimit
  /// SMTP: the greeting has this code, 0 for none.
  case greeting(Int)
  /// SMTP: the answer to HELO has this code, 0 for none.
  case helo(Int)
  /// DNS: the answer has this RCODE.
  case responseCode(Int)
  /// UDP: the reply is another one than configured.
  case reply
  /// A script ended with this code.
  case exited(Int)
  /// A script ended by this signal.
  case signalled(Int)
  /// A script did not end in its time.
  case scriptTimeout
  /// A file's number says so.
  case fileNumber(Int)
  /// A session is down.
  case sessionDown

  /// In words, to be read after "failed: " or "because ".
  public var reason: String {
    switch self {
    case .connectTimeout: "no connection in time"
    case .connect(let number): "cannot connect: " + CheckError.name(of: number)
    case .cannotRun(let step, let number): "cannot \(step): " + CheckError.name(of: number)
    case .definition(let problem): problem
    case .handshake(let words): "TLS handshake failed: \(words)"
    case .readTimeout: "no answer in time"
    case .deadline: "the answer does not come to an end in time"
    case .read(let number): "the connection broke: " + CheckError.name(of: number)
    case .noData: "closed without an answer"
    case .incomplete: "closed before the answer was complete"
    case .tooLong: "the answer is too long"
    case .malformed: "the answer is none of this protocol"
    case .status(0): "the answer has no status"
    case .status(let code): "status \(code)"
    case .digest(let digest): "the body has digest \(digest)"
    case .noMatch: "the body does not match"
    case .match: "the body matches"
    case .matchLimit: "the pattern takes too many steps with this body"
    case .greeting(let code): code == 0 ? "the greeting has no code" : "the greeting has code \(code)"
    case .helo(let code): code == 0 ? "the answer to HELO has no code" : "the answer to HELO has code \(code)"
    case .responseCode(let code): "the answer has RCODE \(code)"
    case .reply: "the reply is another one"
    case .exited(let code): "exited with status \(code)"
    case .signalled(let signal): "ended by signal \(signal)"
    case .scriptTimeout: "ran longer than it may"
    case .fileNumber(let number): "the file's number is \(number)"
    case .sessionDown: "the session is down"
    }
  }

  /// `ECONNREFUSED`
  private static func name(of number: Int32) -> String { SystemError("", errno: number).name }

  /// True when the attempt has told nothing about the server.
  var isNoVerdict: Bool {
    switch self {
    case .cannotRun, .definition: true
    default: false
    }
  }
}
