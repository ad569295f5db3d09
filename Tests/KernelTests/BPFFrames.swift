import CShims
import Glibc
import Wire

@testable import Kernel

/// Whether this process may load BPF programs at all; where it may not, tests that need it are skipped.
enum BPFPrivilege {
  static let isGranted: Bool = {
    guard geteuid() == 0 else { return false }
    do {
      _ = try BPFObject.lab()
      return true
    } catch let error as SystemError {
      return error.number != EPERM
    } catch {
      return true
    }
  }()
}

/// Runs a program over one packet, without any interface.
func runBPF(_ program: Int32, _ packet: [UInt8]) throws -> (verdict: UInt32, output: [UInt8]) {
  var output = [UInt8](repeating: 0, count: packet.count + 256)
  var count = UInt32(output.count)
  var verdict: UInt32 = 0
  let result = lbd_bpf_test_run(program, packet, UInt32(packet.count), &output, &count, &verdict)
  guard result == 0 else { throw SystemError("run program over \(packet.count) bytes", errno: result) }
  return (verdict, Array(output[..<Int(count)]))
}

/// Frames, header by header, from the inside out.
enum BPFFrame {
  static let tcp: UInt8 = 6
  static let udp: UInt8 = 17
  static let sctp: UInt8 = 132
  static let icmp: UInt8 = 1
  static let icmpv6: UInt8 = 58

  static func big(_ value: Int) -> [UInt8] { [UInt8(value >> 8 & 255), UInt8(value & 255)] }

  static func ports(_ source: Int, _ destination: Int) -> [UInt8] { big(source) + big(destination) }

  static func ethernet(_ type: Int, tags: [Int] = [], _ payload: [UInt8]) -> [UInt8] {
    let addresses: [UInt8] = [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]
    return addresses + tags.flatMap { big($0) + big(42) } + big(type) + payload
  }

  static func ipv4(
    _ source: String, _ destination: String, _ protocolNumber: UInt8, optionWords: Int = 0, offset: Int = 0,
    more: Bool = false, _ payload: [UInt8]
  ) -> [UInt8] {
    let headerByteCount = 20 + optionWords * 4
    var bytes: [UInt8] = [UInt8(0x40 | headerByteCount / 4), 0]
    bytes += big(headerByteCount + payload.count) + [0x12, 0x34] + big(offset / 8 | (more ? 0x2000 : 0))
    bytes += [64, protocolNumber, 0, 0] + IPAddress(source)!.bytes + IPAddress(destination)!.bytes
    bytes += [UInt8](repeating: 1, count: optionWords * 4)
    var sum = stride(from: 0, to: bytes.count, by: 2).reduce(0) { $0 + Int(bytes[$1]) << 8 + Int(bytes[$1 + 1]) }
    while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
    bytes.replaceSubrange(10..<12, with: big(~sum & 0xffff))
    return bytes + payload
  }

  static func ipv6(_ source: String, _ destination: String, _ next: UInt8, _ payload: [UInt8]) -> [UInt8] {
    let bytes: [UInt8] = [0x60, 0, 0, 0] + big(payload.count) + [next, 64]
    return bytes + IPAddress(source)!.bytes + IPAddress(destination)!.bytes + payload
  }

  /// UDP without a checksum.
  static func datagram(_ source: Int, _ destination: Int, _ payload: [UInt8]) -> [UInt8] {
    ports(source, destination) + big(8 + payload.count) + [0, 0] + payload
  }

  /// Hop-by-hop options, routing and destination options have one shape; `units` of eight bytes.
  static func options(_ next: UInt8, units: Int = 1, _ payload: [UInt8]) -> [UInt8] {
    [next, UInt8(units - 1)] + [UInt8](repeating: 0, count: units * 8 - 2) + payload
  }

  static func authentication(_ next: UInt8, _ payload: [UInt8]) -> [UInt8] {
    [next, 4] + [UInt8](repeating: 7, count: 22) + payload
  }

  static func fragment(_ next: UInt8, offset: Int, more: Bool, _ payload: [UInt8]) -> [UInt8] {
    // The second byte is reserved: whatever is in it is not a length.
    [next, 0xee] + big(offset | (more ? 1 : 0)) + [0, 0, 0, 9] + payload
  }

  static func icmpMessage(_ type: UInt8, _ quoted: [UInt8]) -> [UInt8] {
    [type, 0, 0, 0, 0, 0, 0, 0] + quoted
  }
}
