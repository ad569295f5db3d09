// VRRP advertisements: version 2 (RFC 3768 section 5.1, RFC 2338 for its authentication) and 3 (RFC 9568 section 5.1).
//
//     0      version | type            4  version 2: authentication type, then the interval in seconds
//     1      virtual router               version 3: four zero bits, twelve bits of interval in centiseconds
//     2      priority                  6  checksum
//     3      number of addresses       8  the addresses; then, version 2 over IPv4, always eight bytes of password
//
// The checksum has had two readings. Version 2 over IPv4 sums the message alone; everything over IPv6 has the pseudo
// header in it. For version 3 over IPv4, RFC 5798 could be read either way: keepalived and FRR sum the pseudo header, and
// RFC 9568 (as Cisco and Juniper did before it) the message alone.

/// The fields of an advertisement in front of its addresses, as they stand in the message.
public struct VRRPAdvertisement: Hashable, Sendable {
  /// 2 or 3 from those who know their business; four bits.
  public var version: UInt8
  /// 1 is an advertisement, nothing else was ever defined; four bits.
  public var type: UInt8
  /// The virtual router's number.
  public var virtualRouter: UInt8
  /// 0 is a master that resigns, 255 the owner of the addresses.
  public var priority: UInt8
  /// How many addresses there should be.
  public var addressCount: UInt8
  /// Version 2: 0 none, 1 a password, 2 an authentication header; 0 in version 3.
  public var authenticationType: UInt8
  /// Seconds in version 2, centiseconds (twelve bits) in version 3.
  public var interval: UInt16

  /// An advertisement of `addressCount` addresses.
  public init(
    version: UInt8, virtualRouter: UInt8, priority: UInt8, addressCount: UInt8, authenticationType: UInt8 = 0,
    interval: UInt16
  ) {
    self.version = version
    type = VRRPAdvertisement.type
    self.virtualRouter = virtualRouter
    self.priority = priority
    self.addressCount = addressCount
    self.authenticationType = authenticationType
    self.interval = interval
  }

  /// Reads the fields; judges nothing but that they are there.
  /// - Returns: nil when `message` is shorter than they are.
  @inlinable
  public init?(_ message: UnsafeRawBufferPointer) {
    guard message.count >= VRRPAdvertisement.headerByteCount, let base = message.baseAddress else { return nil }
    version = base.loadByte(at: 0) >> 4
    type = base.loadByte(at: 0) & 0x0f
    virtualRouter = base.loadByte(at: 1)
    priority = base.loadByte(at: 2)
    addressCount = base.loadByte(at: 3)
    if version == 2 {
      authenticationType = base.loadByte(at: 4)
      interval = UInt16(base.loadByte(at: 5))
    } else {
      authenticationType = 0
      interval = base.loadBigEndian16(at: 4) & VRRPAdvertisement.intervalLimit
    }
  }

  /// Writes the fields, with a checksum of 0; `message` has room for them.
  @inlinable
  public func write(to message: UnsafeMutableRawPointer) {
    message.storeByte(version << 4 | type & 0x0f, at: 0)
    message.storeByte(virtualRouter, at: 1)
    message.storeByte(priority, at: 2)
    message.storeByte(addressCount, at: 3)
    if version == 2 {
      message.storeByte(authenticationType, at: 4)
      message.storeByte(UInt8(truncatingIfNeeded: interval), at: 5)
    } else {
      message.storeBigEndian16(interval & VRRPAdvertisement.intervalLimit, at: 4)
    }
    message.storeBigEndian16(0, at: VRRPAdvertisement.checksumOffset)
  }
}

extension VRRPAdvertisement {
  /// The type of an advertisement.
  @inlinable @inline(__always)
  public static var type: UInt8 { 1 }

  /// The fields in front of the addresses.
  @inlinable @inline(__always)
  public static var headerByteCount: Int { 8 }

  /// Offset of the checksum.
  @inlinable @inline(__always)
  public static var checksumOffset: Int { 6 }

  /// The password's field at the end of version 2 over IPv4: there whatever the authentication type, zero unless it is 1.
  @inlinable @inline(__always)
  public static var passwordByteCount: Int { 8 }

  /// The longest interval of version 3, in centiseconds.
  @inlinable @inline(__always)
  public static var intervalLimit: UInt16 { 0x0fff }

  /// The group of all VRRP routers, 224.0.0.18.
  @inlinable @inline(__always)
  public static var group4: IPAddress { IPAddress(v4: 0xe000_0012) }

  /// The group of all VRRP routers, ff02::12.
  @inlinable @inline(__always)
  public static var group6: IPAddress { IPAddress(high: 0xff02_0000_0000_0000, low: 0x12) }

  /// A virtual router's Ethernet address, 00:00:5e:00:01:VRID or, for IPv6, 00:00:5e:00:02:VRID (RFC 9568 section 7.3).
  @inlinable
  public static func ethernetAddress(virtualRouter: UInt8, family: IPAddress.Family) -> EthernetAddress {
    EthernetAddress((family == .ipv4 ? 0x0000_5e00_0100 : 0x0000_5e00_0200) | UInt64(virtualRouter))
  }

  /// How long a message with so many addresses is, to the byte.
  @inlinable
  public static func byteCount(version: UInt8, family: IPAddress.Family, addressCount: Int) -> Int {
    let addresses = addressCount &* (family == .ipv4 ? 4 : 16)
    return headerByteCount &+ addresses &+ (version == 2 && family == .ipv4 ? passwordByteCount : 0)
  }

  /// The address at `index`; the caller knows that `message` is long enough.
  @inlinable
  public static func address(at index: Int, of message: UnsafeRawPointer, family: IPAddress.Family) -> IPAddress {
    if family == .ipv4 { return IPAddress(v4: message.loadBigEndian32(at: headerByteCount &+ index &* 4)) }
    let offset = headerByteCount &+ index &* 16
    return IPAddress(high: message.loadBigEndian64(at: offset), low: message.loadBigEndian64(at: offset &+ 8))
  }

  /// Writes the address at `index`; `message` has room for it.
  @inlinable
  public static func write(_ address: IPAddress, at index: Int, to message: UnsafeMutableRawPointer) {
    if address.family == .ipv4 { return message.storeBigEndian32(address.v4, at: headerByteCount &+ index &* 4) }
    let offset = headerByteCount &+ index &* 16
    message.storeBigEndian64(address.high, at: offset)
    message.storeBigEndian64(address.low, at: offset &+ 8)
  }
}

/// What an advertisement's checksum covers.
public enum VRRPChecksum: Hashable, Sendable {
  /// The message: version 2 over IPv4, and version 3 over IPv4 as RFC 9568 has it.
  case message
  /// The message and the pseudo header with these addresses: everything over IPv6, and version 3 over IPv4 elsewhere.
  case pseudoHeader(source: IPAddress, destination: IPAddress)

  /// The checksum of a message whose field is 0, or 0 over one whose checksum is right; as it stands in memory.
  @inlinable
  public func value(_ message: UnsafeRawBufferPointer) -> UInt16 {
    var checksum = Checksum()
    if case .pseudoHeader(let source, let destination) = self {
      checksum.addAddress(source)
      checksum.addAddress(destination)
      checksum.addLengthAndProtocol(IPProtocol.vrrp, byteCount: message.count)
    }
    checksum.add(message)
    return checksum.value
  }
}

extension Checksum {
  /// Adds an address of the pseudo header.
  @inlinable
  mutating func addAddress(_ address: IPAddress) {
    if address.family == .ipv4 { return add(UInt64(address.v4.bigEndian)) }
    add(address.high.bigEndian)
    add(address.low.bigEndian)
  }
}
