import Glibc
import NIOCore
import Wire

extension SocketAddress {
  /// - Parameter scope: the interface's index, which link-local addresses of IPv6 need.
  init(_ address: IPAddress, port: UInt16, scope: UInt32 = 0) {
    let bytes = address.bytes
    switch address.family {
    case .ipv4:
      var raw = sockaddr_in()
      raw.sin_family = sa_family_t(AF_INET)
      raw.sin_port = port.bigEndian
      withUnsafeMutableBytes(of: &raw.sin_addr) { $0.copyBytes(from: bytes) }
      self.init(raw, host: "")
    case .ipv6:
      var raw = sockaddr_in6()
      raw.sin6_family = sa_family_t(AF_INET6)
      raw.sin6_port = port.bigEndian
      raw.sin6_scope_id = address.isLinkLocal ? scope : 0
      withUnsafeMutableBytes(of: &raw.sin6_addr) { $0.copyBytes(from: bytes) }
      self.init(raw, host: "")
    }
  }
}

extension CheckTarget {
  /// The index of `bind_if`, 0 for none. Looked up for every attempt: interfaces come and go.
  func interfaceIndex() throws(CheckError) -> UInt32 {
    guard let interface else { return 0 }
    let index = if_nametoindex(interface)
    guard index != 0 else { throw .cannotRun(step: "use interface \(interface)", errno: errno) }
    return index
  }
}

extension TimeAmount {
  /// At most 290 years.
  init(_ duration: Duration) {
    self = .nanoseconds(Int64(clamping: duration.nanoseconds))
  }
}

/// Options of sockets that Glibc's module, or the C library of older systems, does not have.
enum SocketOptions {
  /// SO_MARK
  static let mark: Int32 = 36
  /// SO_BINDTOIFINDEX, Linux 5.1: an interface by its number.
  static let boundInterface: Int32 = 62
  /// IP_BIND_ADDRESS_NO_PORT: bound to an address, a port is chosen when the other end is known. Without it, all
  /// connections from one address share the ports of that address.
  static let bindAddressNoPort: Int32 = 24
}
