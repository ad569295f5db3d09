import CShims
import Glibc

/// A route netlink socket and its receive buffer: what NetlinkSocket and NetlinkMonitor have in common.
///
/// It belongs to the network namespace the thread was in when it was opened. Datagrams that do not come from the
/// kernel itself are thrown away: any process may send to any netlink port.
struct NetlinkChannel: ~Copyable {
  let descriptor: FileDescriptor
  private var buffer = [UInt8](repeating: 0, count: 64 * 1024)

  /// Room for what the kernel may say while nobody listens.
  static let receiveByteCount: Int32 = 4 << 20

  init(receiveByteCount: Int32 = NetlinkChannel.receiveByteCount) throws {
    let descriptor = try FileDescriptor(
      checking: socket(AF_NETLINK, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), NETLINK_ROUTE),
      "open a route netlink socket")
    guard lbd_netlink_bind(descriptor.number) == 0 else {
      throw SystemError.current("bind a route netlink socket")
    }
    self.descriptor = descriptor
    // Without CAP_NET_ADMIN the machine's limit stays in force; that costs a list after an overrun, no more.
    if !set(SOL_SOCKET, SO_RCVBUFFORCE, receiveByteCount) {
      _ = set(SOL_SOCKET, SO_RCVBUF, receiveByteCount)
    }
  }

  /// Sets a number as a socket option.
  func set(_ level: Int32, _ option: Int32, _ value: Int32) -> Bool {
    var value = value
    return setsockopt(descriptor.number, level, option, &value, socklen_t(MemoryLayout<Int32>.size)) == 0
  }

  /// Sends one message to the kernel.
  func send(_ message: [UInt8], _ step: () -> String) throws {
    while true {
      let sent = Glibc.send(descriptor.number, message, message.count, 0)
      if sent == message.count { return }
      guard sent < 0, errno == EINTR else { throw SystemError.current(step()) }
    }
  }

  /// The next datagram from the kernel.
  /// - Returns: nil when `flags` has MSG_DONTWAIT and none waits.
  mutating func receive(flags: Int32 = 0, _ step: () -> String) throws -> ArraySlice<UInt8>? {
    while true {
      // The length first: a datagram that does not fit would be cut off, and a cut list looks like a short one.
      let waiting = recv(descriptor.number, nil, 0, flags | Int32(MSG_PEEK | MSG_TRUNC))
      if waiting < 0 {
        if errno == EINTR { continue }
        if errno == EAGAIN && flags & Int32(MSG_DONTWAIT) != 0 { return nil }
        throw SystemError.current(step())
      }
      if waiting > buffer.count { buffer = [UInt8](repeating: 0, count: waiting) }
      var sender: UInt32 = 0
      let received = buffer.withUnsafeMutableBytes { bytes -> Int in
        guard let base = bytes.baseAddress else { return 0 }
        return lbd_netlink_receive(descriptor.number, base, bytes.count, flags, &sender)
      }
      if received < 0 {
        if errno == EINTR { continue }
        throw SystemError.current(step())
      }
      if sender == 0 { return buffer[..<received] }
    }
  }
}
