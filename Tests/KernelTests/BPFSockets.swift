import CShims
import Glibc
import Wire

@testable import Kernel

/// A packet socket on one interface, which also tells the VLAN tag that the kernel has taken out of a frame.
struct BPFPacketSocket: ~Copyable {
  private let file: FileDescriptor

  /// `filter`: a socket filter program, in place before the first frame.
  init(_ interface: String, filter: Int32? = nil) throws {
    let socket = Glibc.socket(AF_PACKET, Int32(SOCK_RAW.rawValue), 0)
    let file = try FileDescriptor(checking: socket, "open packet socket")
    if var filter {
      guard setsockopt(socket, SOL_SOCKET, 50, &filter, 4) == 0 else { throw SystemError.current("attach filter") }
    }
    var one: Int32 = 1
    let packetLevel: Int32 = 263
    let auxiliaryData: Int32 = 8
    guard setsockopt(socket, packetLevel, auxiliaryData, &one, 4) == 0 else {
      throw SystemError.current("ask for VLAN tags")
    }
    // struct sockaddr_ll: family, protocol (all), index, then what receiving does not need.
    var address = [UInt8](repeating: 0, count: 20)
    address.withUnsafeMutableBytes { bytes in
      bytes.storeBytes(of: UInt16(AF_PACKET), as: UInt16.self)
      bytes.storeBytes(of: UInt16(3).bigEndian, toByteOffset: 2, as: UInt16.self)
      bytes.storeBytes(of: if_nametoindex(interface), toByteOffset: 4, as: UInt32.self)
    }
    let bound = address.withUnsafeBytes { bytes in
      bind(socket, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), 20)
    }
    guard bound == 0 else { throw SystemError.current("bind packet socket to \(interface)") }
    self.file = file
  }

  func send(_ frame: [UInt8]) throws {
    guard Glibc.send(file.number, frame, frame.count, 0) == frame.count else { throw SystemError.current("send") }
  }

  /// The next frame that ends in `payload`, with its VLAN id; nil when none comes. Other frames are noise.
  func receive(endingIn payload: [UInt8]) -> (bytes: [UInt8], vlan: UInt16?)? {
    while waitForInput(file.number) {
      var bytes = [UInt8](repeating: 0, count: 2048)
      var control = [UInt8](repeating: 0, count: 256)
      let count = bytes.withUnsafeMutableBytes { data in
        control.withUnsafeMutableBytes { control in
          var vector = iovec(iov_base: data.baseAddress, iov_len: data.count)
          return withUnsafeMutablePointer(to: &vector) { vector in
            var message = msghdr()
            message.msg_iov = vector
            message.msg_iovlen = 1
            message.msg_control = control.baseAddress
            message.msg_controllen = control.count
            return recvmsg(file.number, &message, 0)
          }
        }
      }
      guard count > 0 else { return nil }
      guard bytes[..<count].suffix(payload.count).elementsEqual(payload) else { continue }
      // struct cmsghdr (16 bytes), then struct tpacket_auxdata: status, three numbers, two places, the tag.
      let (status, tag) = control.withUnsafeBytes { bytes in
        (bytes.load(fromByteOffset: 16, as: UInt32.self), bytes.load(fromByteOffset: 32, as: UInt16.self))
      }
      let hasTag: UInt32 = 1 << 4
      return (Array(bytes[..<count]), status & hasTag != 0 ? tag & 0xfff : nil)
    }
    return nil
  }
}

/// A UDP socket of the host's own stack.
struct BPFDatagramSocket: ~Copyable {
  private let file: FileDescriptor

  init(port: UInt16) throws {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    let file = try FileDescriptor(checking: socket, "open UDP socket")
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    let bound = withUnsafeBytes(of: &address) { bytes in
      bind(socket, bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    guard bound == 0 else { throw SystemError.current("bind UDP socket") }
    self.file = file
  }

  /// The next datagram; nil when none comes.
  func receive() -> [UInt8]? {
    guard waitForInput(file.number) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 2048)
    let count = recv(file.number, &bytes, bytes.count, 0)
    return count < 0 ? nil : Array(bytes[..<count])
  }
}

/// A veth delivers within the sender's own system call, as a rule; the wait is for a busy machine.
private func waitForInput(_ file: Int32) -> Bool {
  var wanted = pollfd(fd: file, events: Int16(POLLIN), revents: 0)
  return poll(&wanted, 1, 300) == 1
}
