import CShims
import Glibc

/// Makes sure that one process at a time has a name.
///
/// A Unix socket with an abstract name: it belongs to the network namespace, and it goes with the last process that has it,
/// however that ends, so there is nothing stale to clean up. It listens, so that whoever comes too late can ask the
/// kernel whose it is.
public struct NameLock: ~Copyable, Sendable {
  private let file: FileDescriptor

  /// Takes the name.
  /// - Parameters:
  ///   - step: what is being done, to be read after "cannot".
  ///   - remedy: what to say when it is taken.
  /// - Throws: a `SystemError`; its number is EADDRINUSE when the name is taken.
  public init(_ name: String, step: String, remedy: String? = nil) throws {
    let owner = try NameLock.socket(step)
    let result = try NameLock.withAddress(name, step) { bind(owner.number, $0, $1) }
    guard result == 0, listen(owner.number, SOMAXCONN) == 0 else {
      throw SystemError.current(step, remedy: errno == EADDRINUSE ? remedy : nil)
    }
    file = owner
  }

  /// From now on programs that this process starts have the name too, and keep it.
  public func passOn() throws {
    guard fcntl(file.number, F_SETFD, 0) == 0 else { throw SystemError.current("pass a lock on") }
  }

  /// The process that took the name; nil when nobody has it, or it cannot be told.
  public static func owner(of name: String) -> pid_t? {
    let step = "ask for the owner of \(name)"
    // It never answers; asked too often, it would keep us waiting.
    guard let file = try? socket(step, flags: Int32(SOCK_NONBLOCK.rawValue)),
      (try? withAddress(name, step, { connect(file.number, $0, $1) })) == 0
    else { return nil }
    return LocalSocket.peer(of: file.number)?.process
  }

  private static func socket(_ step: String, flags: Int32 = 0) throws -> FileDescriptor {
    try FileDescriptor(
      checking: Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue) | flags, 0), step)
  }

  private static func withAddress(
    _ name: String, _ step: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // A leading zero byte makes the name abstract; its length says where it ends.
    let bytes = [0] + Array("lbd/\(name)".utf8)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard bytes.count <= capacity else { throw SystemError(step, errno: ENAMETOOLONG) }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let byteCount = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, byteCount) }
    }
  }
}
