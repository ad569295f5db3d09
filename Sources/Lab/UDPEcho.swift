import Glibc
import Wire

/// A UDP echo server for a real server's side, and the probe that asks it.
///
/// A server that holds the VIP must answer from the address it was asked at, not from the one its route would choose:
/// the client would not know the answer as its own. A socket bound to "any" learns that address by IP_PKTINFO
/// (IPV6_PKTINFO, RFC 3542 section 6) and says it again when it sends. Datagrams larger than the link travel as
/// fragments; the kernel does both halves.
public enum UDPEcho {
  private static let bufferByteCount = 65536

  /// Answers on every address given until a signal ends the process.
  public static func serve(addresses: [IPAddress], port: UInt16) throws -> Never {
    var waiting = try addresses.map { address in
      pollfd(fd: try listeningSocket(address, port), events: Int16(POLLIN), revents: 0)
    }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferByteCount, alignment: 16)
    while true {
      guard poll(&waiting, nfds_t(waiting.count), -1) > 0 else { continue }
      for entry in waiting where entry.revents != 0 { echoOne(entry.fd, buffer) }
    }
  }

  /// Sends `count` datagrams, one after another, each from a port of its own, and wants each one back unchanged.
  /// - Parameter isShuffled: they leave in fragments that are out of order.
  /// - Returns: how many came back within `timeoutSeconds` each.
  public static func probe(
    address: IPAddress, port: UInt16, byteCount: Int, count: Int, isShuffled: Bool = false, timeoutSeconds: Double = 2
  ) throws -> Int {
    guard (1...65507).contains(byteCount) else { throw LabFailure("a datagram has 1 to 65507 bytes") }
    var returned = 0
    for number in 0..<count {
      let question = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
      let answer = try ask(Endpoint(address: address, port: port), question, isShuffled, timeoutSeconds)
      if answer == question { returned += 1 }
    }
    return returned
  }

  private static func ask(
    _ server: Endpoint, _ question: [UInt8], _ isShuffled: Bool, _ timeoutSeconds: Double
  ) throws -> [UInt8] {
    let handle = try datagramSocket(server.address.family)
    defer { close(handle) }
    let connected = SocketAddress(server).withPointer { connect(handle, $0, $1) }
    guard connected == 0 else { throw failure("connect to \(server)") }
    if isShuffled {
      var random = SystemRandomNumberGenerator()
      guard let own = try SocketAddress(ofSocket: handle).endpoint else { throw failure("learn the probe's address") }
      let packets = ShuffledDatagram.packets(
        from: own, to: server, question, identification: random.next(),
        using: &random)
      try ShuffledDatagram.send(packets, to: server.address)
    } else {
      guard send(handle, question, question.count, 0) == question.count else { throw failure("send to \(server)") }
    }
    var waiting = pollfd(fd: handle, events: Int16(POLLIN), revents: 0)
    guard poll(&waiting, 1, Int32(timeoutSeconds * 1000)) > 0 else { return [] }
    var answer = [UInt8](repeating: 0, count: bufferByteCount)
    let length = recv(handle, &answer, answer.count, 0)
    return length > 0 ? Array(answer[..<length]) : []
  }

  private static func datagramSocket(_ family: IPAddress.Family) throws -> Int32 {
    let domain = family == .ipv4 ? AF_INET : AF_INET6
    let handle = socket(domain, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard handle >= 0 else { throw failure("open a UDP socket") }
    return handle
  }

  private static func listeningSocket(_ address: IPAddress, _ port: UInt16) throws -> Int32 {
    let handle = try datagramSocket(address.family)
    var one: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    if address.family == .ipv4 {
      setsockopt(handle, Int32(IPPROTO_IP), IP_PKTINFO, &one, size)
    } else {
      setsockopt(handle, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, size)
      setsockopt(handle, Int32(IPPROTO_IPV6), IPV6_RECVPKTINFO, &one, size)
    }
    let endpoint = Endpoint(address: address, port: port)
    guard SocketAddress(endpoint).withPointer({ bind(handle, $0, $1) }) == 0 else {
      throw failure("bind UDP \(endpoint)")
    }
    return handle
  }

  /// Receives one datagram and sends it back from the address it came to.
  private static func echoOne(_ handle: Int32, _ buffer: UnsafeMutableRawBufferPointer) {
    withUnsafeTemporaryAllocation(byteCount: 256, alignment: 16) { control in
      withUnsafeTemporaryAllocation(byteCount: 128, alignment: 16) { peer in
        var part = iovec(iov_base: buffer.baseAddress, iov_len: buffer.count)
        withUnsafeMutablePointer(to: &part) { part in
          var message = msghdr()
          message.msg_name = peer.baseAddress
          message.msg_namelen = socklen_t(peer.count)
          message.msg_iov = part
          message.msg_iovlen = 1
          message.msg_control = control.baseAddress
          message.msg_controllen = control.count
          let length = recvmsg(handle, &message, 0)
          guard length >= 0 else { return }
          part.pointee.iov_len = length
          message.msg_flags = 0
          PacketInfo.anyInterface(UnsafeMutableRawBufferPointer(rebasing: control[..<message.msg_controllen]))
          sendmsg(handle, &message, 0)
        }
      }
    }
  }

  static func failure(_ step: String) -> LabFailure {
    LabFailure("cannot \(step): \(String(cString: strerror(errno)))")
  }
}

/// The control message that carries the address a datagram was sent to. The received one is sent back as it is,
/// apart from the interface: the answer leaves by the route, not by the port the question came in.
enum PacketInfo {
  private static let headerByteCount = 16  // struct cmsghdr: length (8), level (4), type (4)

  static func anyInterface(_ control: UnsafeMutableRawBufferPointer) {
    guard control.count >= headerByteCount + 12 else { return }
    let level = control.load(fromByteOffset: 8, as: Int32.self)
    let type = control.load(fromByteOffset: 12, as: Int32.self)
    if level == Int32(IPPROTO_IP), type == IP_PKTINFO {
      control.storeBytes(of: 0, toByteOffset: headerByteCount, as: Int32.self)
    } else if level == Int32(IPPROTO_IPV6), type == IPV6_PKTINFO, control.count >= headerByteCount + 20 {
      // A link-local address means nothing without its interface.
      guard control[headerByteCount] != 0xfe else { return }
      control.storeBytes(of: 0, toByteOffset: headerByteCount + 16, as: Int32.self)
    }
  }
}

/// An endpoint as the socket calls want it.
struct SocketAddress {
  private var storage = sockaddr_storage()
  private var length: socklen_t

  init(_ endpoint: Endpoint) {
    let isIPv4 = endpoint.address.family == .ipv4
    length = socklen_t(isIPv4 ? MemoryLayout<sockaddr_in>.size : MemoryLayout<sockaddr_in6>.size)
    withUnsafeMutableBytes(of: &storage) { bytes in
      bytes.storeBytes(of: sa_family_t(isIPv4 ? AF_INET : AF_INET6), as: sa_family_t.self)
      bytes.storeBytes(of: endpoint.port.bigEndian, toByteOffset: 2, as: UInt16.self)
      bytes[(isIPv4 ? 4 : 8)...].copyBytes(from: endpoint.address.bytes)
    }
  }

  /// The near end of a connected socket.
  init(ofSocket handle: Int32) throws {
    length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let result = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(handle, $0, &length) }
    }
    guard result == 0 else { throw UDPEcho.failure("learn a socket's address") }
  }

  var endpoint: Endpoint? {
    withUnsafeBytes(of: storage) { bytes in
      let isIPv4 = Int32(bytes.load(as: sa_family_t.self)) == AF_INET
      let port = UInt16(bigEndian: bytes.load(fromByteOffset: 2, as: UInt16.self))
      return IPAddress(bytes: isIPv4 ? bytes[4..<8] : bytes[8..<24]).map { Endpoint(address: $0, port: port) }
    }
  }

  func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    withUnsafePointer(to: storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
    }
  }
}
