import CForwarder
import Glibc

/// Why the wire could not be measured, in one line for the user.
public struct WireFailure: Error, Sendable, Equatable, CustomStringConvertible {
  /// The line.
  public let description: String
  /// Whether nothing is broken: this machine, or this user, cannot do what measuring the wire takes.
  public let isMissingPrerequisite: Bool

  init(_ description: String, isMissingPrerequisite: Bool = false) {
    self.description = description
    self.isMissingPrerequisite = isMissingPrerequisite
  }

  /// Ctrl-C or SIGTERM arrived.
  public static let interrupted = WireFailure("interrupted, everything removed")

  static func missing(_ what: String) -> WireFailure { WireFailure(what, isMissingPrerequisite: true) }

  /// Runs a function of the C side that leaves its complaint in a buffer; nil from it becomes an error.
  static func check<Result>(
    _ subject: String, _ body: (UnsafeMutablePointer<CChar>) -> Result?
  ) throws -> Result {
    let message = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CF_MESSAGE_BYTES))
    defer { message.deallocate() }
    message[0] = 0
    guard let result = body(message) else { throw WireFailure("\(subject): \(String(cString: message))") }
    return result
  }
}

/// Waiting that Ctrl-C ends.
enum Waiting {
  /// Sleeps.
  static func sleep(seconds: Double) throws { _ = try wait(seconds: seconds) { false } }

  /// Sleeps in short naps until the condition holds; false when the time is up.
  static func wait(seconds: Double, until condition: () throws -> Bool) throws -> Bool {
    let deadline = now() + seconds
    while true {
      if cf_is_interrupted() { throw WireFailure.interrupted }
      if try condition() { return true }
      let left = deadline - now()
      if left <= 0 { return false }
      usleep(UInt32(min(left, 0.01) * 1e6))
    }
  }

  /// CLOCK_MONOTONIC in seconds.
  static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
