import CShims
import Glibc
import Testing

@testable import Kernel

/// Interfaces, in a network namespace that lives as long as a thread.
enum DeviceSandbox {
  static let isAvailable: Bool = geteuid() == 0 && (try? run { true }) ?? false

  private final class Box<Value>: @unchecked Sendable {
    var result: Result<Value, any Error>?
  }

  static func run<Value>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
    let box = Box<Value>()
    try PinnedThread.start(name: "sandbox", core: nil) {
      box.result = Result {
        let error = lbd_thread_unshare_network()
        guard error == 0 else { throw SystemError("make network namespace", errno: error) }
        return try body()
      }
    }.join()
    return try #require(box.result).get()
  }
}

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

@Suite(.enabled(if: DeviceSandbox.isAvailable, "needs the privilege to make network namespaces"))
struct OffloadsTests {
  @Test func mergingIsTurnedOffAndPutBack() throws {
    let (before, change, during, again, after) = try DeviceSandbox.run {
      guard system("ip link add left type veth peer name right && ethtool -K left gro on >/dev/null") == 0 else {
        throw SystemError("make pair", errno: EIO)
      }
      let before = try Offloads(reading: "left")
      let change = try Offloads.disableMerging(of: "left")
      let during = try Offloads(reading: "left")
      let again = try Offloads.disableMerging(of: "left")
      try change.undo()
      return (before, change, during, again, try Offloads(reading: "left"))
    }
    #expect(before.mergesOnReceive && before.checksumsOnTransmit && before.segmentsOnTransmit)
    #expect(change.description == "turned off GRO of left")
    #expect(!during.mergesOnReceive)
    #expect(again.isEmpty && again.description == "left the offloads of left alone")
    #expect(after == before)
  }

  @Test func missingInterface() {
    let error = #expect(throws: SystemError.self) { _ = try Offloads(reading: "nosuch0") }
    #expect(error?.description == "cannot read offloads of nosuch0: ENODEV (No such device)")
  }
}
