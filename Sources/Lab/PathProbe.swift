import Glibc
import Wire

/// What stands between a client and a service: datagrams with 1, 2, 3 … hops to live, and who reports their end, as
/// tracepath(8) asks. Unlike it the port stays the same, since a service has one.
///
/// The socket is connected, and the kernel only hands it errors that quote a datagram it has sent, to the address and port
/// it has sent it to (RFC 5927 section 4): an error that a director did not translate back is not heard.
public enum PathProbe {
  /// How a datagram ended.
  public enum Hop: Equatable, Sendable, CustomStringConvertible {
    /// Nobody said anything.
    case silent
    /// Its hops were used up.
    case exceeded(from: IPAddress)
    /// It arrived where nobody listens.
    case unreachable(from: IPAddress)
    /// Any other report.
    case other(type: UInt8, code: UInt8, from: IPAddress)
    /// It was answered.
    case answered

    /// For one line.
    public var description: String {
      switch self {
      case .silent: "silence"
      case .exceeded(let address): "\(address)"
      case .unreachable(let address): "\(address) unreachable"
      case .other(let type, let code, let address): "\(address) says \(type)/\(code)"
      case .answered: "an answer"
      }
    }

    /// Reads a control message of the error queue: struct sock_extended_err, behind it who sent the ICMP error.
    /// - Parameter bytes: from the message's header on.
    init?(_ bytes: UnsafeRawBufferPointer) {
      let error = 16  // struct cmsghdr: length (8), level (4), type (4)
      guard bytes.count >= error + 16 + 16 else { return nil }
      let level = bytes.loadUnaligned(fromByteOffset: 8, as: Int32.self)
      let isIPv6 = level == Int32(IPPROTO_IPV6)
      guard isIPv6 || level == Int32(IPPROTO_IP), !isIPv6 || bytes.count >= error + 16 + 28 else { return nil }
      let (type, code) = (bytes[error + 5], bytes[error + 6])
      let offender = bytes[(error + 16 + (isIPv6 ? 8 : 4))...]
      guard let address = IPAddress(bytes: Array(offender.prefix(isIPv6 ? 16 : 4))) else { return nil }
      switch (isIPv6, type, code) {
      case (false, ICMPv4.timeExceeded, 0), (true, ICMPv6.timeExceeded, 0): self = .exceeded(from: address)
      case (false, ICMPv4.destinationUnreachable, ICMPv4.portUnreachable),
        (true, ICMPv6.destinationUnreachable, ICMPv6.portUnreachable):
        self = .unreachable(from: address)
      default: self = .other(type: type, code: code, from: address)
      }
    }
  }

  /// Goes on until a datagram has arrived.
  public static func walk(to endpoint: Endpoint, limit: Int, timeoutSeconds: Double = 1) throws -> [Hop] {
    let isIPv4 = endpoint.address.family == .ipv4
    let handle = socket(
      isIPv4 ? AF_INET : AF_INET6, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard handle >= 0 else { throw LabFailure("cannot open a UDP socket: \(String(cString: strerror(errno)))") }
    defer { close(handle) }
    let level = Int32(isIPv4 ? IPPROTO_IP : IPPROTO_IPV6)
    set(handle, level, isIPv4 ? IP_RECVERR : IPV6_RECVERR, 1)
    guard SocketAddress(endpoint).withPointer({ connect(handle, $0, $1) }) == 0 else {
      throw LabFailure("cannot connect to \(endpoint): \(String(cString: strerror(errno)))")
    }
    var hops: [Hop] = []
    for limit in 1...limit {
      set(handle, level, isIPv4 ? IP_TTL : IPV6_UNICAST_HOPS, Int32(limit))
      _ = send(handle, "probe", 5, 0)
      let hop = wait(handle, timeoutSeconds)
      hops.append(hop)
      switch hop {
      case .silent, .exceeded: continue
      default: return hops
      }
    }
    return hops
  }

  private static func set(_ handle: Int32, _ level: Int32, _ option: Int32, _ value: Int32) {
    var value = value
    setsockopt(handle, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
  }

  private static func wait(_ handle: Int32, _ timeoutSeconds: Double) -> Hop {
    var waiting = pollfd(fd: handle, events: Int16(POLLIN), revents: 0)
    guard poll(&waiting, 1, Int32(timeoutSeconds * 1000)) > 0 else { return .silent }
    guard waiting.revents & Int16(POLLERR) != 0 else { return .answered }
    return withUnsafeTemporaryAllocation(byteCount: 512, alignment: 16) { control in
      var message = msghdr()
      message.msg_control = control.baseAddress
      message.msg_controllen = control.count
      guard recvmsg(handle, &message, Int32(MSG_ERRQUEUE)) >= 0 else { return .silent }
      return Hop(UnsafeRawBufferPointer(rebasing: control[..<message.msg_controllen])) ?? .silent
    }
  }
}
