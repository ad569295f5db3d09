import CShims
import Glibc

/// Network namespaces with a name, as `ip netns` makes them.
public enum NetworkNamespace {
  /// Moves this process into one. For a process with one thread: others stay where they are.
  public static func enter(_ name: String) throws {
    let step = "enter network namespace \(name)"
    let file = try FileDescriptor(
      checking: open("/run/netns/\(name)", O_RDONLY | O_CLOEXEC), step, remedy: "see `ip netns list`")
    let failure = lbd_process_enter_network(file.number)
    guard failure == 0 else {
      throw SystemError(step, errno: failure, remedy: failure == EPERM ? "it takes CAP_SYS_ADMIN" : nil)
    }
  }
}
