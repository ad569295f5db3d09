import CShims
import Glibc

/// A counter that becomes readable when raised (eventfd): how one thread wakes another from its wait.
public struct EventDescriptor: ~Copyable, Sendable {
  private let file: FileDescriptor

  /// An event that has not been raised.
  public init() throws {
    file = try FileDescriptor(
      checking: eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC)), "create event descriptor")
  }

  /// To be waited for.
  public var descriptor: Int32 { file.number }

  /// Makes the descriptor readable. May be called from any thread.
  public func raise() {
    var one: UInt64 = 1
    // The only failure is a full counter, and then the descriptor is readable already.
    _ = write(file.number, &one, 8)
  }

  /// How often it was raised since the last call; the descriptor is not readable afterwards.
  @discardableResult
  public func clear() -> UInt64 {
    var count: UInt64 = 0
    return read(file.number, &count, 8) == 8 ? count : 0
  }
}
