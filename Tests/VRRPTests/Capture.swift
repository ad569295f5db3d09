import Testing
import Wire

#if canImport(Glibc)
  import Glibc
#endif

/// The recorded captures: classic pcap files of Ethernet frames, little-endian.
struct Capture {
  struct Frame {
    /// Of the first frame's second.
    let microseconds: UInt64
    let bytes: [UInt8]

    var source: EthernetAddress { bytes.withUnsafeBytes { $0.baseAddress!.loadEthernetAddress(at: 6) } }
    var type: UInt16 { UInt16(bytes[12]) << 8 | UInt16(bytes[13]) }
    var payload: [UInt8] { Array(bytes[14...]) }

    /// The IP datagram, if it is VRRP with or without an authentication header.
    var advert: [UInt8]? {
      if type == 0x0800, bytes[23] == 112 || bytes[23] == 51 { return payload }
      return type == 0x86dd && bytes[20] == 112 ? payload : nil
    }
  }

  let frames: [Frame]

  static let names = [
    "v2_ah", "v2_ah_unicast", "v2_fault_two_prio0", "v2_junk_silences_master", "v2_noauth_3vip", "v2_pass_failover",
    "v2_pass_unicast", "v2_vmac", "v3_ipv4", "v3_ipv4_100ms", "v3_ipv6", "v3_unicast_ttl64",
  ]

  init(_ name: String, file: String = #filePath) throws {
    let folder = file.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let bytes = try #require(Capture.read("\(folder)/Vectors/vrrp_\(name).pcap"))
    let word = { (at: Int) in (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) } }
    try #require(bytes.count > 24 && word(0) == 0xa1b2_c3d4 && word(20) == 1)
    var frames: [Frame] = []
    var offset = 24
    let base = UInt64(word(24))
    while offset + 16 <= bytes.count {
      let count = Int(word(offset + 8))
      let time = (UInt64(word(offset)) - base) * 1_000_000 + UInt64(word(offset + 4))
      frames.append(Frame(microseconds: time, bytes: Array(bytes[(offset + 16)..<(offset + 16 + count)])))
      offset += 16 + count
    }
    self.frames = frames
  }

  private static func read(_ path: String) -> [UInt8]? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
      let count = fread(&chunk, 1, chunk.count, file)
      if count == 0 { return bytes }
      bytes += chunk[..<count]
    }
  }
}
