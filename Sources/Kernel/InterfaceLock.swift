import CShims
import Glibc

/// Makes sure that one process at a time works on an interface.
///
/// Two directors on one interface would replace each other's XDP program before either noticed that the queue is taken.
/// The lock is a Unix socket with an abstract name: it belongs to the network namespace, as the interface does, and
/// it goes with the process however that ends, so there is nothing stale to clean up.
public struct InterfaceLock: ~Copyable, Sendable {
  private let file: FileDescriptor

  /// Takes the lock.
  /// - Throws: when another process has it.
  public init(interface: String) throws {
    let step = "take interface \(interface)"
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let owner = try FileDescriptor(checking: descriptor, step)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    // A leading zero byte makes the name abstract; its length says where it ends.
    let name = [0] + Array("lbd/interface/\(interface)".utf8)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard name.count <= capacity else { throw SystemError(step, errno: ENAMETOOLONG) }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: name) }
    let byteCount = socklen_t(MemoryLayout<sa_family_t>.size + name.count)
    let result = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, byteCount) }
    }
    guard result == 0 else {
      throw SystemError.current(step, remedy: errno == EADDRINUSE ? "another lbd uses it" : nil)
    }
    file = owner
  }
}
