/// The internet checksum (RFC 1071) over whole packets, as the ports need it to complete what a device would have.
///
/// Sums are of 16-bit words in the machine's own byte order: the result, stored the same way, has the right bytes
/// (RFC 1071, section 2(B)).
enum InternetSum {
  /// Adds `byteCount` bytes to a running sum; all but the last piece must be of even length.
  @inline(__always)
  static func add(_ bytes: UnsafeRawPointer, _ byteCount: Int, to sum: UInt64 = 0) -> UInt64 {
    var sum = sum
    var offset = 0
    while offset &+ 8 <= byteCount {
      let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      // Halves cannot overflow 64 bits before 2^32 words have been added.
      sum &+= (word & 0xffff_ffff) &+ (word >> 32)
      offset &+= 8
    }
    while offset &+ 2 <= byteCount {
      sum &+= UInt64(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
      offset &+= 2
    }
    if offset < byteCount {
      sum &+= UInt64(UInt16(bytes.load(fromByteOffset: offset, as: UInt8.self)).littleEndian)
    }
    return sum
  }

  /// The checksum for a field: the complement of the folded sum.
  @inline(__always)
  static func checksum(_ sum: UInt64) -> UInt16 {
    var sum = (sum & 0xffff_ffff) &+ (sum >> 32)
    sum = (sum & 0xffff) &+ (sum >> 16)
    sum = (sum & 0xffff) &+ (sum >> 16)
    sum = (sum & 0xffff) &+ (sum >> 16)
    return ~UInt16(truncatingIfNeeded: sum)
  }

  /// Completes a checksum whose field holds the pseudo header's sum, as a sender leaves it to the device.
  /// - Parameters:
  ///   - start: where the covered bytes begin.
  ///   - offset: where the field is, from `start`.
  /// - Returns: false, and nothing done, when that lies outside the packet.
  @inline(__always)
  static func complete(_ packet: UnsafeMutableRawPointer, byteCount: Int, start: Int, offset: Int) -> Bool {
    guard start + offset + 2 <= byteCount else { return false }
    let value = checksum(add(packet + start, byteCount &- start))
    // No protocol minds, and to UDP zero would mean "no checksum".
    packet.storeBytes(of: value == 0 ? 0xffff : value, toByteOffset: start &+ offset, as: UInt16.self)
    return true
  }
}
