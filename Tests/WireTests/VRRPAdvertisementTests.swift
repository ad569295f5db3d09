import Testing
import Wire

/// The bytes are those of keepalived 2.2.7 from 10.99.0.11, virtual router 51.
@Suite struct VRRPAdvertisementTests {
  struct Row: CustomTestStringConvertible {
    let name: String
    let words: [UInt16]
    let head: VRRPAdvertisement
    let addresses: [String]
    let checksum: VRRPChecksum
    var family: IPAddress.Family = .ipv4
    var password: [UInt8] = []
    var testDescription: String { name }

    var bytes: [UInt8] { words.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] } }
  }

  private static func pseudo(_ source: String, _ destination: String) -> VRRPChecksum {
    .pseudoHeader(source: IPAddress(source)!, destination: IPAddress(destination)!)
  }

  private static func head(
    _ version: UInt8, _ priority: UInt8, _ count: UInt8, type: UInt8 = 0, _ interval: UInt16
  ) -> VRRPAdvertisement {
    VRRPAdvertisement(
      version: version, virtualRouter: 51, priority: priority, addressCount: count, authenticationType: type,
      interval: interval)
  }

  static let rows = [
    Row(
      name: "v2, password", words: [0x2133, 0x6401, 0x0101, 0x0ca1, 0x0a63, 0x0064, 0x3131, 0x3131, 0, 0],
      head: head(2, 100, 1, type: 1, 1), addresses: ["10.99.0.100"], checksum: .message, password: [49, 49, 49, 49]),
    Row(
      name: "v2, password, resigning", words: [0x2133, 0x0001, 0x0101, 0x70a1, 0x0a63, 0x0064, 0x3131, 0x3131, 0, 0],
      head: head(2, 0, 1, type: 1, 1), addresses: ["10.99.0.100"], checksum: .message, password: [49, 49, 49, 49]),
    Row(
      name: "v2, three addresses",
      words: [0x2133, 0x6403, 0x0001, 0x5a70, 0x0a63, 0x0064, 0x0a63, 0x0065, 0x0a63, 0x0066, 0, 0, 0, 0],
      head: head(2, 100, 3, 1), addresses: ["10.99.0.100", "10.99.0.101", "10.99.0.102"], checksum: .message),
    Row(
      name: "v3, IPv4", words: [0x3133, 0x6402, 0x0064, 0x69d6, 0x0a63, 0x0064, 0x0a63, 0x0065],
      head: head(3, 100, 2, 100), addresses: ["10.99.0.100", "10.99.0.101"],
      checksum: pseudo("10.99.0.11", "224.0.0.18")),
    Row(
      name: "v3, IPv4, to a peer", words: [0x3133, 0x6401, 0x0064, 0x4a47, 0x0a63, 0x0064],
      head: head(3, 100, 1, 100), addresses: ["10.99.0.100"], checksum: pseudo("10.99.0.11", "10.99.0.12")),
    Row(
      name: "v3, IPv6",
      words: [0x3133, 0x6402, 0x0064, 0xbd53, 0xfe80, 0, 0, 0, 0, 0, 0x5eff, 0x0100]
        + [0x2001, 0x0db8, 0x0099, 0, 0, 0, 0, 0x0100],
      head: head(3, 100, 2, 100), addresses: ["fe80::5eff:100", "2001:db8:99::100"],
      checksum: pseudo("fe80::d47a:e4ff:fe41:6955", "ff02::12"), family: .ipv6),
  ]

  @Test(arguments: rows) func reads(row: Row) {
    row.bytes.withUnsafeBytes { message in
      #expect(VRRPAdvertisement(message) == row.head)
      #expect(
        message.count
          == VRRPAdvertisement.byteCount(
            version: row.head.version, family: row.family, addressCount: row.addresses.count))
      let addresses = row.addresses.indices.map {
        VRRPAdvertisement.address(at: $0, of: message.baseAddress!, family: row.family).description
      }
      #expect(addresses == row.addresses)
      #expect(row.checksum.value(message) == 0)
    }
  }

  @Test(arguments: rows) func writes(row: Row) {
    var bytes = [UInt8](repeating: 0, count: row.bytes.count)
    bytes.withUnsafeMutableBytes { message in
      let base = message.baseAddress!
      base.storeByte(0xee, at: VRRPAdvertisement.checksumOffset)
      row.head.write(to: base)
      for (index, address) in row.addresses.enumerated() {
        VRRPAdvertisement.write(IPAddress(address)!, at: index, to: base)
      }
      let place = message.count - VRRPAdvertisement.passwordByteCount
      for (index, byte) in row.password.enumerated() { message[place + index] = byte }
      let sum = row.checksum.value(UnsafeRawBufferPointer(message))
      base.storeBytes(of: sum, toByteOffset: VRRPAdvertisement.checksumOffset, as: UInt16.self)
    }
    #expect(bytes == row.bytes)
  }

  /// A wrong bit anywhere is seen, and so is the other convention.
  @Test(arguments: rows) func checksumSeesChanges(row: Row) {
    for index in row.bytes.indices {
      var bytes = row.bytes
      bytes[index] ^= 0x10
      #expect(bytes.withUnsafeBytes { row.checksum.value($0) } != 0)
    }
    let other: VRRPChecksum = row.checksum == .message ? Self.pseudo("10.99.0.11", "224.0.0.18") : .message
    #expect(row.bytes.withUnsafeBytes { other.value($0) } != 0)
  }

  @Test func shortMessages() {
    for count in 0..<8 {
      #expect([UInt8](repeating: 0x21, count: count).withUnsafeBytes { VRRPAdvertisement($0) } == nil)
    }
    #expect([UInt8](repeating: 0x21, count: 8).withUnsafeBytes { VRRPAdvertisement($0) } != nil)
  }

  /// Version 3 has four bits in front of the interval that mean nothing.
  @Test func reservedBits() {
    let bytes: [UInt8] = [0x31, 1, 2, 3, 0xf1, 0x02, 0, 0]
    let head = bytes.withUnsafeBytes { VRRPAdvertisement($0) }
    #expect(head?.interval == 0x102)
    #expect(head?.authenticationType == 0)
  }

  @Test func virtualEthernetAddresses() {
    let four = VRRPAdvertisement.ethernetAddress(virtualRouter: 51, family: .ipv4)
    let six = VRRPAdvertisement.ethernetAddress(virtualRouter: 51, family: .ipv6)
    #expect("\(four)" == "00:00:5e:00:01:33")
    #expect("\(six)" == "00:00:5e:00:02:33")
  }
}
