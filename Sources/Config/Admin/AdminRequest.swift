import Wire

/// What a client asks for: the words of a command line, what the names in it mean, and what it read from its standard input.
public struct AdminRequest: Hashable, Sendable {
  /// The words behind the program's name.
  public var arguments: [String] = []
  /// What names mean where the client runs.
  public var names = IpvsadmNames()
  /// For `-R`.
  public var input: [UInt8] = []
  /// The client can put names in the place of marked endpoints (`MarkedEndpoint`).
  public var takesMarks = false

  /// The words are `lbd`'s own (`LbdQuestion`), and not ipvsadm's.
  public var isOwn = false

  /// Where lbd listens unless told otherwise.
  public static let defaultSocketPath = "/run/lbd.sock"
  /// The largest body of a request that changes rules, and of one that only asks.
  public static let byteLimit = (changing: 16 << 20, asking: 64 << 10)
  /// The most words of a command line.
  private static let argumentLimit = 4096

  /// A request for nothing.
  public init() {}

  /// As a frame's body.
  public func encoded() -> [UInt8] {
    var bytes: [UInt8] = [(takesMarks ? 1 : 0) | (isOwn ? 2 : 0)]
    bytes.append(number: arguments.count)
    for argument in arguments { bytes.append(counted: argument.utf8) }
    bytes.append(number: names.hosts.count)
    for (name, address) in names.hosts {
      bytes.append(counted: name.utf8)
      bytes.append(counted: address.bytes)
    }
    bytes.append(number: names.ports.count)
    for (port, number) in names.ports {
      bytes.append(counted: port.name.utf8)
      bytes.append(number: Int(port.transport.rawValue) << 16 | Int(number))
    }
    bytes.append(counted: input)
    return bytes
  }

  /// From a frame's body.
  public init(decoding body: ArraySlice<UInt8>) throws(AdminFault) {
    var reader = Reader(rest: body)
    let flags = try reader.byte()
    (takesMarks, isOwn) = (flags & 1 != 0, flags & 2 != 0)
    let count = try reader.count(ofAtLeast: 4)
    guard count <= AdminRequest.argumentLimit else { throw AdminFault("\(count) words are too many") }
    for _ in 0..<count { arguments.append(try reader.string()) }
    for _ in 0..<(try reader.count(ofAtLeast: 8)) {
      let name = try reader.string()
      let bytes = Array(try reader.bytes())
      guard let address = IPAddress(bytes: bytes) else { throw AdminFault("an address has \(bytes.count) bytes") }
      names.hosts[name] = address
    }
    for _ in 0..<(try reader.count(ofAtLeast: 8)) {
      let name = try reader.string()
      let number = try reader.number()
      guard let transport = TransportProtocol(rawValue: UInt8(truncatingIfNeeded: number >> 16)), number >> 24 == 0
      else {
        throw AdminFault("a port of no protocol")
      }
      names.ports[IpvsadmNames.Port(name: name, transport: transport)] = UInt16(truncatingIfNeeded: number)
    }
    input = Array(try reader.bytes())
    guard reader.rest.isEmpty else { throw AdminFault("bytes are left over") }
  }

  private struct Reader {
    var rest: ArraySlice<UInt8>

    mutating func byte() throws(AdminFault) -> UInt8 {
      guard let byte = rest.popFirst() else { throw AdminFault("the request is cut short") }
      return byte
    }

    mutating func number() throws(AdminFault) -> Int {
      guard rest.count >= 4 else { throw AdminFault("the request is cut short") }
      let number = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
      rest = rest.dropFirst(4)
      return number
    }

    /// A count of things that take so many bytes each, at least.
    mutating func count(ofAtLeast byteCount: Int) throws(AdminFault) -> Int {
      let count = try number()
      guard count <= rest.count / byteCount else { throw AdminFault("the request is cut short") }
      return count
    }

    mutating func bytes() throws(AdminFault) -> ArraySlice<UInt8> {
      let count = try number()
      guard count <= rest.count else { throw AdminFault("the request is cut short") }
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }

    mutating func string() throws(AdminFault) -> String { String(decoding: try bytes(), as: UTF8.self) }
  }
}
