/// The cyclic redundancy check of SCTP (RFC 9260 appendix A): CRC-32C, reflected, one byte at a time.
///
/// Off the fast path: only packets of SCTP whose ports are translated need it anew.
public enum CRC32C {
  /// Written once, read ever after.
  nonisolated(unsafe) private static let table: UnsafePointer<UInt32> = {
    let table = UnsafeMutablePointer<UInt32>.allocate(capacity: 256)
    for byte in 0..<256 {
      var word = UInt32(byte)
      for _ in 0..<8 { word = word & 1 != 0 ? word >> 1 ^ 0x82f6_3b78 : word >> 1 }
      table[byte] = word
    }
    return UnsafePointer(table)
  }()

  /// The check over an SCTP packet, as it is stored (least significant byte first); the field itself counts as zero.
  public static func sctp(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
    let table = CRC32C.table
    var sum = UInt32.max
    for index in 0..<bytes.count {
      let isField = index >= SCTP.checksumOffset && index < SCTP.checksumOffset + 4
      let byte = isField ? 0 : bytes[index]
      sum = table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)] ^ sum >> 8
    }
    return ~sum
  }
}
