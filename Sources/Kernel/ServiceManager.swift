import CShims
import Glibc

/// Tells the service manager how the service is doing: the `sd_notify` protocol, which is one datagram of
/// `NAME=value` lines to the Unix socket named by `$NOTIFY_SOCKET`. Without that variable nothing is sent.
///
/// A message that cannot be delivered is dropped: a service does not fail because nobody listens.
public struct ServiceManager: Sendable {
  private let path: String?

  /// A channel to the socket that the environment names.
  public init() {
    let value = getenv("NOTIFY_SOCKET").map { String(cString: $0) }
    self.init(socketPath: value)
  }

  /// A channel to `socketPath`; a leading `@` means an abstract socket. Other names must be absolute.
  public init(socketPath: String?) {
    path = socketPath.flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
  }

  /// Whether a service manager listens.
  public var isPresent: Bool { path != nil }

  /// The service has started and forwards.
  @discardableResult
  public func ready(status: String? = nil) -> Bool { send(["READY=1"] + line(status)) }

  /// The service is on its way out.
  @discardableResult
  public func stopping(status: String? = nil) -> Bool { send(["STOPPING=1"] + line(status)) }

  /// The service reads its configuration; `ready` ends that state.
  @discardableResult
  public func reloading(status: String? = nil) -> Bool {
    // Services of type notify-reload must say when, so that an older READY is not taken for the answer.
    let microseconds = MonotonicClock.nanoseconds() / 1000
    return send(["RELOADING=1", "MONOTONIC_USEC=\(microseconds)"] + line(status))
  }

  /// One line for `systemctl status`.
  @discardableResult
  public func status(_ text: String) -> Bool { send(line(text)) }

  /// The process that is now the service's main one.
  @discardableResult
  public func mainProcess(_ process: Int32) -> Bool { send(["MAINPID=\(process)"]) }

  private func line(_ status: String?) -> [String] {
    // A line end would start another assignment.
    status.map { ["STATUS=" + String($0.map { $0.isNewline ? " " : $0 })] } ?? []
  }

  private func send(_ lines: [String]) -> Bool {
    guard let path else { return false }
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { close(descriptor) }
    var text = lines.joined(separator: "\n")
    return text.withUTF8 { bytes in
      guard let base = bytes.baseAddress else { return false }
      return lbd_unix_send(descriptor, path, base, bytes.count) == 0
    }
  }
}
