import Glibc

/// Sole owner of an open file descriptor; closed when the owner goes.
public struct FileDescriptor: ~Copyable, Sendable {
  /// The descriptor's number; valid as long as this value lives.
  public let number: Int32

  /// Takes over an open descriptor.
  public init(adopting number: Int32) {
    self.number = number
  }

  /// Takes over the result of a system call, or throws its errno.
  public init(checking number: Int32, _ step: @autoclosure () -> String, remedy: String? = nil) throws {
    guard number >= 0 else { throw SystemError.current(step(), remedy: remedy) }
    self.number = number
  }

  deinit {
    close(number)
  }

  /// Gives the descriptor away unclosed.
  public consuming func release() -> Int32 {
    let number = number
    discard self
    return number
  }
}
