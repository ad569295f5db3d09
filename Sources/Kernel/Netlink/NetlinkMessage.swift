import CShims
import Glibc

// A netlink datagram is a row of messages; a message is a 16-byte header, a fixed part that depends on its type, and
// a row of attributes, each with a length and a type, any of which may hold attributes again (RFC 3549 section 2).
//
// The kernel is trusted to be the kernel, not to be free of mistakes: every length is compared with what is really
// there before a byte is read, and a message that does not add up is refused as a whole. Nothing here knows what the
// attributes mean; Link, InterfaceAddress, Route and Neighbour do.

/// A message whose lengths contradict each other.
struct MalformedNetlinkMessage: Error, Equatable {}

/// One message of a datagram, its header taken apart.
struct NetlinkMessage {
  let type: Int
  let flags: Int32
  let sequence: UInt32
  /// What follows the header.
  let payload: ArraySlice<UInt8>

  private static let headerByteCount = MemoryLayout<nlmsghdr>.size

  /// Cuts a datagram into its messages.
  static func split(_ datagram: ArraySlice<UInt8>) throws(MalformedNetlinkMessage) -> [NetlinkMessage] {
    var messages: [NetlinkMessage] = []
    var rest = datagram
    while !rest.isEmpty {
      let header = try rest.load(nlmsghdr.self)
      let length = Int(header.nlmsg_len)
      guard length >= headerByteCount, length <= rest.count else { throw MalformedNetlinkMessage() }
      messages.append(
        NetlinkMessage(
          type: Int(header.nlmsg_type), flags: Int32(header.nlmsg_flags), sequence: header.nlmsg_seq,
          payload: rest.prefix(length).dropFirst(headerByteCount)))
      rest = rest.dropFirst(aligned(length))
    }
    return messages
  }

  /// The attributes behind a fixed part of `headerType`.
  func attributes<Header: BitwiseCopyable>(
    after headerType: Header.Type
  ) throws(MalformedNetlinkMessage) -> NetlinkAttributes {
    try NetlinkAttributes(payload.dropFirst(NetlinkMessage.aligned(MemoryLayout<Header>.size)))
  }

  /// Messages and attributes begin at multiples of four.
  static func aligned(_ byteCount: Int) -> Int { (byteCount + 3) & ~3 }
}

/// The attributes of a message or of another attribute.
struct NetlinkAttributes {
  let items: [(type: Int, value: ArraySlice<UInt8>)]

  private static let headerByteCount = 4
  /// The two upper bits of the type say "nested" and "network byte order".
  private static let typeMask: UInt16 = 0x3fff

  init(_ bytes: ArraySlice<UInt8>) throws(MalformedNetlinkMessage) {
    var items: [(type: Int, value: ArraySlice<UInt8>)] = []
    var rest = bytes
    while rest.count >= NetlinkAttributes.headerByteCount {
      let length = Int(try rest.load(UInt16.self))
      let type = try rest.load(UInt16.self, at: 2)
      guard length >= NetlinkAttributes.headerByteCount, length <= rest.count else { throw MalformedNetlinkMessage() }
      items.append(
        (Int(type & NetlinkAttributes.typeMask), rest.prefix(length).dropFirst(NetlinkAttributes.headerByteCount)))
      rest = rest.dropFirst(NetlinkMessage.aligned(length))
    }
    guard rest.isEmpty else { throw MalformedNetlinkMessage() }
    self.items = items
  }

  /// The value of the first attribute of a type.
  subscript(type: Int) -> ArraySlice<UInt8>? {
    items.first { $0.type == type }?.value
  }

  /// Routing attributes have an enumeration of their own.
  subscript(type: rtattr_type_t) -> ArraySlice<UInt8>? { self[Int(type.rawValue)] }

  /// The attributes inside an attribute.
  func nested(_ type: Int) throws(MalformedNetlinkMessage) -> NetlinkAttributes? {
    guard let value = self[type] else { return nil }
    return try NetlinkAttributes(value)
  }
}

extension ArraySlice<UInt8> {
  /// A value in host byte order, at a distance from the slice's start.
  func load<Value: BitwiseCopyable>(
    _ type: Value.Type, at offset: Int = 0
  ) throws(MalformedNetlinkMessage) -> Value {
    guard offset >= 0, offset <= count, count - offset >= MemoryLayout<Value>.size else {
      throw MalformedNetlinkMessage()
    }
    return withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: type) }
  }

  /// Text up to the first zero byte or the end; bytes that are not UTF-8 are replaced.
  var text: String { String(decoding: prefix { $0 != 0 }, as: UTF8.self) }
}

/// A message under construction.
struct NetlinkRequest {
  private(set) var bytes: [UInt8] = []

  /// A request of `type`; NLM_F_REQUEST is implied.
  init<Header: BitwiseCopyable>(type: Int, flags: Int32, header: Header) {
    let start = nlmsghdr(
      nlmsg_len: 0, nlmsg_type: UInt16(truncatingIfNeeded: type),
      nlmsg_flags: UInt16(truncatingIfNeeded: NLM_F_REQUEST | flags), nlmsg_seq: 0, nlmsg_pid: 0)
    appendRaw(start)
    appendRaw(header)
  }

  /// Adds an attribute of raw bytes.
  mutating func append(_ type: Int, _ value: some Collection<UInt8>) {
    appendRaw(UInt16(truncatingIfNeeded: 4 + value.count))
    appendRaw(UInt16(truncatingIfNeeded: type))
    bytes.append(contentsOf: value)
    pad()
  }

  /// Adds an attribute that is a number or a structure.
  mutating func append<Value: BitwiseCopyable>(_ type: Int, value: Value) {
    append(type, withUnsafeBytes(of: value) { Array($0) })
  }

  /// Adds zero-terminated text.
  mutating func append(_ type: Int, text: String) {
    append(type, Array(text.utf8) + [0])
  }

  /// Adds an attribute that holds what `body` appends.
  mutating func nest(_ type: Int, _ body: (inout NetlinkRequest) -> Void) {
    let start = bytes.count
    append(type, [])
    body(&self)
    patch(UInt16(truncatingIfNeeded: bytes.count - start), at: start)
  }

  /// The finished message.
  func sealed(sequence: UInt32) -> [UInt8] {
    var copy = self
    copy.patch(UInt32(truncatingIfNeeded: bytes.count), at: 0)
    copy.patch(sequence, at: 8)
    return copy.bytes
  }

  private mutating func appendRaw<Value: BitwiseCopyable>(_ value: Value) {
    withUnsafeBytes(of: value) { bytes.append(contentsOf: $0) }
    if MemoryLayout<Value>.size > 2 { pad() }
  }

  private mutating func pad() {
    while bytes.count % 4 != 0 { bytes.append(0) }
  }

  private mutating func patch<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
    withUnsafeBytes(of: value) { bytes.replaceSubrange(offset..<(offset + $0.count), with: $0) }
  }
}
