import Glibc
import Wire

/// A listener that nobody can connect to any more: its queue is full, and Linux drops further SYNs without a word.
final class FullListener {
  let endpoint: Endpoint
  private var descriptors: [Int32] = []

  /// nil when there are no sockets.
  init?() {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    var bound = address
    let isBound = withUnsafeMutablePointer(to: &bound) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) == 0 && listen(listener, 0) == 0 && getsockname(listener, $0, &size) == 0
      }
    }
    endpoint = Endpoint(address: IPAddress(v4: 0x7f00_0001), port: UInt16(bigEndian: bound.sin_port))
    descriptors = [listener]
    guard isBound else { return nil }
    for _ in 0..<4 {
      let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
      withUnsafePointer(to: &bound) {
        _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(client, $0, size) }
      }
      descriptors.append(client)
    }
  }

  deinit {
    for descriptor in descriptors { close(descriptor) }
  }
}
