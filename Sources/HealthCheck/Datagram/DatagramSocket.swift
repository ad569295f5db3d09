import Glibc
import Kernel
import NIOCore
import Wire

// Sockets for checks that send one datagram. They are opened and written to here, not by NIO, for the sake of errors:
// an ICMP message says why nothing will come, Linux keeps it in the error queue of a socket (ip(7), IP_RECVERR), and NIO
// knows only that there was one. So NIO is given a duplicate to read from, and when it sees an error the reason is asked
// for here.
//
// IP_RECVERR also makes errors known that a connected UDP socket hides: that a host of our own network does not answer
// ARP, for instance. A UDP check that takes silence for good would never see that the host is gone.

/// A connected socket that its question has left through.
struct DatagramSocket: ~Copyable {
  /// What kind of packets.
  enum Kind: Hashable, Sendable {
    /// UDP.
    case udp
    /// Echoes over ICMP or ICMPv6: the kernel chooses the identifier and hands over only replies to it. Needs the group
    /// to be within `net.ipv4.ping_group_range`.
    case echo
    /// The same by hand, from a raw socket: every ICMP message of the other end is seen, and the IPv4 header with it.
    case rawEcho
  }

  /// Options that Glibc's module does not have.
  private enum Option {
    /// IP_RECVERR, IPV6_RECVERR
    static let errors4: Int32 = 11
    static let errors6: Int32 = 25
    /// IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, IP_PMTUDISC_DONT: what is too large for the path is sent in fragments, it is
    /// no error.
    static let pathMTU4: Int32 = 10
    static let pathMTU6: Int32 = 23
    static let fragments: Int32 = 0
    /// SOL_RAW, ICMP_FILTER: a bit for each type that is not wanted.
    static let levelRaw: Int32 = 255
    static let filter4: Int32 = 1
    /// SOL_ICMPV6, ICMPV6_FILTER
    static let levelICMPv6: Int32 = 58
    static let filter6: Int32 = 1
    /// MSG_ERRQUEUE
    static let errorQueue: Int32 = 0x2000
  }

  /// What was opened.
  let kind: Kind
  private let descriptor: Kernel.FileDescriptor

  private init(_ kind: Kind, adopting number: Int32) {
    self.kind = kind
    descriptor = Kernel.FileDescriptor(adopting: number)
  }

  /// Opens a socket and connects it as `target` has it.
  static func connect(
    _ kind: Kind, to target: CheckTarget, ways: (any CheckWays)? = nil
  ) throws(CheckError) -> DatagramSocket {
    let (target, departure) = try target.departing(by: ways)
    let scope = if let departure { departure.device } else { try target.interfaceIndex() }
    let number = DatagramSocket.open(kind, target.address.family == .ipv4 ? AF_INET : AF_INET6)
    guard number >= 0 else { throw .cannotRun(step: DatagramSocket.step(of: kind), errno: errno) }
    let socket = DatagramSocket(kind, adopting: number)
    try socket.configure(target, scope)
    if let address = target.bindAddress ?? target.bindPort.map({ _ in target.address.anyOfFamily }) {
      // What echoes have for a port is the identifier.
      let port = kind == .udp ? target.bindPort ?? 0 : 0
      let result = SocketAddress(address, port: port, scope: scope).withSockAddr {
        Glibc.bind(number, $0, socklen_t($1))
      }
      try socket.check("bind to \(Endpoint(address: address, port: port))", result)
    }
    if let departure { departure.note(try socket.localPort()) }
    let port = kind == .udp ? target.port : 0
    let result = SocketAddress(target.address, port: port, scope: scope).withSockAddr {
      Glibc.connect(number, $0, socklen_t($1))
    }
    guard result == 0 else { throw DatagramSocket.error(errno, "connect to \(target.endpoint)") }
    return socket
  }

  private static func open(_ kind: Kind, _ family: Int32) -> Int32 {
    let type = kind == .rawEcho ? SOCK_RAW : SOCK_DGRAM
    let flags = SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
    let echo = family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6
    return socket(family, Int32(type.rawValue | flags), Int32(kind == .udp ? IPPROTO_UDP : echo))
  }

  private func localPort() throws(CheckError) -> UInt16 {
    var address = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let result = withUnsafeMutableBytes(of: &address) {
      getsockname(descriptor.number, $0.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
    }
    try check("find the local port of a check", result)
    // It stands at the same place for both families.
    return UInt16(bigEndian: address.sin6_port)
  }

  private static func step(of kind: Kind) -> String {
    switch kind {
    case .udp: "open a socket"
    case .echo, .rawEcho: "open a socket for ICMP (CAP_NET_RAW, or a group within net.ipv4.ping_group_range, is needed)"
    }
  }

  private func configure(_ target: CheckTarget, _ scope: UInt32) throws(CheckError) {
    let isV4 = target.address.family == .ipv4
    let level = Int32(isV4 ? IPPROTO_IP : IPPROTO_IPV6)
    if target.mark != 0 { try set(SOL_SOCKET, SocketOptions.mark, target.mark, "set the mark of a socket") }
    if scope != 0 {
      try set(SOL_SOCKET, SocketOptions.boundInterface, scope, "set the interface of a socket")
    }
    if target.bindPort != nil { try set(SOL_SOCKET, SO_REUSEADDR, UInt32(1), "share the port of a socket") }
    try set(level, isV4 ? Option.errors4 : Option.errors6, UInt32(1), "ask for the errors of a socket")
    try set(level, isV4 ? Option.pathMTU4 : Option.pathMTU6, Option.fragments, "let a socket send fragments")
    guard kind == .rawEcho else { return }
    // Only echo replies: what else there is belongs to others.
    if isV4 {
      try set(Option.levelRaw, Option.filter4, ~(UInt32(1) << UInt32(EchoQuestion.replyType4)), "filter ICMP")
    } else {
      var words = (~UInt32(0), ~UInt32(0), ~UInt32(0), ~UInt32(0), ~UInt32(0), ~UInt32(0), ~UInt32(0), ~UInt32(0))
      withUnsafeMutableBytes(of: &words) { bytes in
        let index = Int(EchoQuestion.replyType6 >> 5) * 4
        let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self)
        bytes.storeBytes(
          of: word & ~(1 << UInt32(EchoQuestion.replyType6 & 31)), toByteOffset: index, as: UInt32.self)
      }
      try set(Option.levelICMPv6, Option.filter6, words, "filter ICMPv6")
    }
  }

  private func set<Value: BitwiseCopyable>(
    _ level: Int32, _ option: Int32, _ value: Value, _ step: String
  ) throws(CheckError) {
    let result = withUnsafeBytes(of: value) {
      setsockopt(descriptor.number, level, option, $0.baseAddress, socklen_t($0.count))
    }
    try check(step, result)
  }

  private func check(_ step: String, _ result: Int32) throws(CheckError) {
    guard result == 0 else { throw .cannotRun(step: step, errno: errno) }
  }

  /// Sends the question. That there is no way to the other end is an error of the other end, as with connections.
  func send(_ bytes: [UInt8], to endpoint: Endpoint) throws(CheckError) {
    let count = bytes.withUnsafeBytes {
      Glibc.send(descriptor.number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
    guard count >= 0 else { throw DatagramSocket.error(errno, "send to \(endpoint)") }
  }

  private static func error(_ number: Int32, _ step: String) -> CheckError {
    Connector.isOfServer(number) ? .connect(number) : .cannotRun(step: step, errno: number)
  }

  /// A descriptor of the same socket, for someone else to close.
  func duplicate() throws(CheckError) -> Int32 {
    let number = fcntl(descriptor.number, F_DUPFD_CLOEXEC, 0)
    guard number >= 0 else { throw .cannotRun(step: "duplicate a socket", errno: errno) }
    return number
  }

  /// The error that an ICMP message, or this machine in its place, has brought; nil for none.
  func queuedError() -> Int32? {
    var header = msghdr()
    // sock_extended_err begins with the errno; an address follows, and a cmsghdr stands before.
    return withUnsafeTemporaryAllocation(byteCount: 256, alignment: 16) { control in
      header.msg_control = control.baseAddress
      header.msg_controllen = numericCast(control.count)
      guard recvmsg(descriptor.number, &header, Option.errorQueue | Int32(MSG_DONTWAIT)) >= 0 else {
        return nil
      }
      let headerSize = MemoryLayout<cmsghdr>.size
      guard Int(header.msg_controllen) >= headerSize + 16 else { return nil }
      let first = control.load(as: cmsghdr.self)
      let isOurs =
        first.cmsg_level == Int32(IPPROTO_IP) && first.cmsg_type == Option.errors4
        || first.cmsg_level == Int32(IPPROTO_IPV6) && first.cmsg_type == Option.errors6
      guard isOurs else { return nil }
      return Int32(bitPattern: control.load(fromByteOffset: headerSize, as: UInt32.self))
    }
  }
}

extension IPAddress {
  /// `0.0.0.0` or `::`.
  fileprivate var anyOfFamily: IPAddress { family == .ipv4 ? IPAddress(v4: 0) : IPAddress(high: 0, low: 0) }
}
