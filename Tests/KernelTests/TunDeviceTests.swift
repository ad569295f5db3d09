import CShims
import Glibc
import Testing

@testable import Kernel

@Suite(.enabled(if: DeviceSandbox.isAvailable, "needs the privilege to make network namespaces"))
struct TunDeviceTests {
  /// A UDP datagram written to the device is delivered to a local socket, though its source lies behind no interface.
  @Test func packetsReachTheHost() throws {
    let (text, isFiltered, index) = try DeviceSandbox.run {
      let device = try TunDevice(name: "lbd-host")
      _ = system("ip link set lo up && ip addr add 10.9.9.9/32 dev lo && ip route add default dev lo")
      let receiver = try FileDescriptor(checking: socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0), "open socket")
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = UInt16(5000).bigEndian
      let isBound = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(receiver.number, $0, 16) == 0 }
      }
      guard isBound else { throw SystemError.current("bind") }
      var packet: [UInt8] = [
        0x45, 0, 0, 33, 0, 1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 10, 9, 9, 9,
        0x12, 0x34, 0x13, 0x88, 0, 13, 0, 0, 104, 101, 108, 108, 111,
      ]
      var sum = stride(from: 0, to: 20, by: 2).reduce(0) { $0 + Int(packet[$1]) << 8 + Int(packet[$1 + 1]) }
      sum = (sum & 0xffff) + (sum >> 16)
      packet[10] = UInt8(~sum >> 8 & 255)
      packet[11] = UInt8(~sum & 255)
      guard packet.withUnsafeBytes({ device.write($0.baseAddress!, byteCount: $0.count) }) else {
        throw SystemError.current("write")
      }
      guard Epoll.waitReadable(receiver.number, timeoutMilliseconds: 1000) else {
        return ("nothing", device.isFilteredByDefault, device.index)
      }
      var bytes = [UInt8](repeating: 0, count: 100)
      let count = recv(receiver.number, &bytes, 100, 0)
      return (String(decoding: bytes[0..<max(0, count)], as: UTF8.self), device.isFilteredByDefault, device.index)
    }
    #expect(text == (isFiltered ? "nothing" : "hello"))
    #expect(index > 0)
  }

  @Test func rubbishIsRefusedByReturnValue() throws {
    let isTaken = try DeviceSandbox.run {
      let device = try TunDevice(name: "lbd-host")
      return [UInt8](repeating: 0, count: 20).withUnsafeBytes { device.write($0.baseAddress!, byteCount: 20) }
    }
    #expect(!isTaken)
  }

  @Test(arguments: ["", "a-name-much-too-long"])
  func badNames(name: String) {
    #expect(throws: SystemError.self) { try DeviceSandbox.run { _ = try TunDevice(name: name) } }
  }
}
