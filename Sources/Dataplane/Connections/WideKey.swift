import CShims
import Wire

/// What the wide table is searched by: both ends in full.
///
/// Most connections belong to a service whose VIP:port has a number, and their keys are small. Where a service is not one
/// address and port (a firewall mark, port 0), the near end has to stand in the key as it is; and persistence needs a
/// place to remember a client by, with more beside it than one word holds. These entries have a table of their own, with
/// one slot of eight words to a line, so that nothing of it weighs on the others:
///
///     0  generation << 32 | far port << 16 | kind       4  near address, upper half
///     1  far address, upper half                        5  near address, lower half
///     2  far address, lower half                        6  what the kind says (see `WideKind`)
///     3  near port << 48 | protocol << 40 | digest      7  the connection's value
///
/// Lookups compare the words 0 to 3; word 3 has 32 bits of a keyed hash of the near address, and whoever finds an entry
/// compares the address itself (`isExact`).
struct KeyWide: ConnectionKey {
  var kind: WideKind
  private(set) var port: UInt16
  let high: UInt64
  let low: UInt64
  var near: UInt64
  var nearHigh: UInt64
  var nearLow: UInt64
  /// Written with a new entry; not compared.
  var extra: UInt64 = 0
  /// An entry of FULLNAT's: in the slot, a bit of the generation; not compared.
  var isTranslated = false

  /// - Parameters:
  ///   - far: address in two words, IPv4 in the low half of the second.
  ///   - near: likewise.
  init(
    _ kind: WideKind, far: (high: UInt64, low: UInt64), farPort: UInt16, near address: (high: UInt64, low: UInt64),
    nearPort: UInt16, protocolNumber: UInt8, secret: HashSecret
  ) {
    self.kind = kind
    port = farPort
    (high, low) = far
    (nearHigh, nearLow) = address
    let digest = secret.line(0, high: address.high, low: address.low) & 0xffff_ffff
    near = UInt64(nearPort) << 48 | UInt64(protocolNumber) << 40 | digest
  }

  /// A call's template.
  /// - Parameters:
  ///   - far: the client, as far as it counts.
  ///   - hash: of the call and the near address.
  init(call hash: UInt64, far: (high: UInt64, low: UInt64), nearPort: UInt16, protocolNumber: UInt8) {
    kind = .call
    port = UInt16(truncatingIfNeeded: hash >> 40)
    (high, low) = far
    (nearHigh, nearLow) = (0, 0)
    near = UInt64(nearPort) << 48 | UInt64(protocolNumber) << 40 | hash & 0xff_ffff_ffff
  }

  init(_ slot: UnsafeMutablePointer<UInt64>) {
    let head = lbd_load_acquire(slot)
    kind = WideKind(rawValue: UInt16(truncatingIfNeeded: head)) ?? .request
    port = UInt16(truncatingIfNeeded: head >> 16)
    high = lbd_load_relaxed(slot + 1)
    low = lbd_load_relaxed(slot + 2)
    near = lbd_load_relaxed(slot + 3)
    nearHigh = lbd_load_relaxed(slot + 4)
    nearLow = lbd_load_relaxed(slot + 5)
    extra = lbd_load_relaxed(slot + 6)
    isTranslated = head & KeyWide.translatedBit != 0
  }

  private static var translatedBit: UInt64 { 1 << 62 }

  /// What an entry says beside its key.
  mutating func takeNotes(of slot: UnsafeMutablePointer<UInt64>) {
    extra = lbd_load_relaxed(slot + 6)
    isTranslated = lbd_load_relaxed(slot) & KeyWide.translatedBit != 0
  }

  /// No wide key is made of these.
  init(high: UInt64, low: UInt64, port: UInt16, endpoint: UInt16) {
    self.init(
      WideKind(rawValue: endpoint) ?? .request, far: (high, low), farPort: port, near: (0, 0), nearPort: 0,
      protocolNumber: 0, secret: HashSecret(seed: 0))
  }

  static var wordsPerSlot: Int { 8 }

  var nearPort: UInt16 { UInt16(truncatingIfNeeded: near >> 48) }
  var protocolNumber: UInt8 { UInt8(truncatingIfNeeded: near >> 40) }
  var endpoint: UInt16 { kind.rawValue }
  var farAddress: (high: UInt64, low: UInt64) { (high, low) }
  func at(endpoint: UInt16) -> KeyWide { self }

  private var head: UInt64 { UInt64(port) << 16 | UInt64(kind.rawValue) }

  func twin(in line: UnsafeMutablePointer<UInt64>) -> UnsafeMutablePointer<UInt64>? { nil }
  func candidate(in line: UnsafeMutablePointer<UInt64>) -> UnsafeMutablePointer<UInt64> { line }

  func matches(_ slot: UnsafeMutablePointer<UInt64>) -> Bool {
    let first = lbd_load_acquire(slot)
    guard first & 0xffff_ffff == head else { return false }
    guard lbd_load_acquire(slot + 1) == high, lbd_load_acquire(slot + 2) == low, lbd_load_acquire(slot + 3) == near
    else { return false }
    return lbd_load_relaxed(slot) == first
  }

  /// True when the near address itself is this key's. (Of replies it is another one, see `WideKind`.)
  func isExact(_ slot: UnsafeMutablePointer<UInt64>) -> Bool {
    lbd_load_relaxed(slot + 4) == nearHigh && lbd_load_relaxed(slot + 5) == nearLow
  }

  func writeTail(_ slot: UnsafeMutablePointer<UInt64>) {
    lbd_store_relaxed(slot + 1, high)
    lbd_store_relaxed(slot + 2, low)
    lbd_store_relaxed(slot + 3, near)
    lbd_store_relaxed(slot + 4, nearHigh)
    lbd_store_relaxed(slot + 5, nearLow)
    lbd_store_relaxed(slot + 6, extra)
  }

  func head(generation: UInt64) -> UInt64 {
    generation << 32 & ~KeyWide.translatedBit | (isTranslated ? KeyWide.translatedBit : 0) | head
  }

  func hash(_ secret: HashSecret) -> UInt64 { secret.line(head ^ secret.mix(near), high: high, low: low) }

  var continuation: UInt64 { UInt64(LB_ENDPOINT_CONTINUATION) }

  mutating func note(service: UInt16, serverPort: UInt16) {
    extra = extra & ~0xffff_ffff | UInt64(service) << 16 | UInt64(serverPort)
  }
  mutating func noteTranslated(serverPort: UInt16) {
    extra = extra & ~0xffff | UInt64(serverPort)
    isTranslated = true
  }
  static var hasPairs: Bool { false }
  var templateLine: UInt32 {
    get {
      let mayHave = !isTranslated && kind == .request && protocolNumber == TransportProtocol.udp.rawValue
      return mayHave ? UInt32(truncatingIfNeeded: extra >> 32) : 0
    }
    set { extra = extra & 0xffff_ffff | UInt64(newValue) << 32 }
  }
  var helper: UInt16 {
    get {
      let mayHave = !isTranslated && !kind.isTemplate && protocolNumber == TransportProtocol.tcp.rawValue
      return mayHave ? UInt16(truncatingIfNeeded: extra >> 48) : 0
    }
    set { extra = extra & ~(0xffff << 48) | UInt64(newValue) << 48 }
  }
  var isExpected: Bool {
    get { kind == .request && helper != 0 && extra >> 32 & 1 != 0 }
    set { extra = extra & ~(1 << 32) | (newValue ? 1 << 32 : 0) }
  }
  var ownProtocolNumber: UInt8 { protocolNumber }
  func role(_ snapshot: UnsafePointer<SnapshotView>) -> EndpointRecord.Kind { kind == .reply ? .server : .service }

  /// The same client's orphan, of a server: where the far port stands.
  func orphan(of server: UInt16) -> KeyWide {
    var key = self
    key.port = server
    key.kind = kind == .call ? .callOrphan : .orphan
    key.near |= 0xffff << 48
    return key
  }

  /// The server's port, of a connection.
  var serverPort: UInt16 { UInt16(truncatingIfNeeded: extra) }
  /// The service's number, of a connection without a server.
  var service: UInt16 { UInt16(truncatingIfNeeded: extra >> 16) }

  func replies(
    _ connection: Connection, server: UnsafePointer<ServerRecord>, service: UnsafePointer<ServiceRecord>,
    secret: HashSecret
  ) -> KeyWide? {
    if server.pointee.method == .fullNAT { return fullNATReplies(connection, server, service, secret) }
    guard server.pointee.method == .masquerading else { return nil }
    var key = KeyWide(
      .reply, far: (high, low), farPort: port, near: (server.pointee.addressHigh, server.pointee.addressLow),
      nearPort: serverPort, protocolNumber: protocolNumber, secret: secret)
    (key.nearHigh, key.nearLow) = (nearHigh, nearLow)
    key.extra = UInt64(nearPort) << 32 | extra & 0xffff_ffff
    if !isExpected { key.helper = helper }
    return key
  }

  func requests(
    at slot: UnsafeMutablePointer<UInt64>, server: UnsafePointer<ServerRecord>, service: UnsafePointer<ServiceRecord>,
    secret: HashSecret
  ) -> KeyWide {
    let entry = KeyWide(slot)
    if server.pointee.method == .fullNAT { return fullNATRequests(entry, service, secret) }
    var key = KeyWide(
      .request, far: (high, low), farPort: port, near: (entry.nearHigh, entry.nearLow),
      nearPort: UInt16(truncatingIfNeeded: entry.extra >> 32), protocolNumber: protocolNumber, secret: secret)
    key.extra = entry.extra & 0xffff_ffff
    return key
  }

  private func fullNATReplies(
    _ connection: Connection, _ server: UnsafePointer<ServerRecord>, _ service: UnsafePointer<ServiceRecord>,
    _ secret: HashSecret
  ) -> KeyWide? {
    guard connection.localAddress < service.pointee.localAddressCount, let locals = service.pointee.localAddresses
    else { return nil }
    let local = locals + connection.localAddress
    var key = KeyWide(
      .reply, far: (local.pointee.high, local.pointee.low), farPort: connection.localPort,
      near: (server.pointee.addressHigh, server.pointee.addressLow), nearPort: serverPort,
      protocolNumber: protocolNumber, secret: secret)
    (key.nearHigh, key.nearLow) = (high, low)
    key.isTranslated = true
    key.extra = UInt64(port) << 48 | UInt64(nearPort) << 32 | extra & 0xffff_ffff
    return key
  }

  private func fullNATRequests(
    _ entry: KeyWide, _ service: UnsafePointer<ServiceRecord>, _ secret: HashSecret
  ) -> KeyWide {
    var key = KeyWide(
      .request, far: (entry.nearHigh, entry.nearLow), farPort: UInt16(truncatingIfNeeded: entry.extra >> 48),
      near: (service.pointee.addressHigh, service.pointee.addressLow),
      nearPort: UInt16(truncatingIfNeeded: entry.extra >> 32), protocolNumber: protocolNumber, secret: secret)
    key.isTranslated = true
    key.extra = entry.extra & 0xffff_ffff
    return key
  }
}

/// What an entry of the wide table is, and what its seventh word says.
enum WideKind: UInt16 {
  /// A client's connection to an address and port of a service by mark or for every port.
  /// Word 6: service << 16 | the server's port; above them, for one that a call's template has a say in, the template's
  /// line + 1, or, for one of FTP's, its record << 16 and whether it was announced.
  /// FULLNAT: `ConveyedStream`.
  case request = 1
  /// Its replies (NAT): the near end searched by is the server's address and port. Words 4 and 5 are the address the
  /// client speaks to; word 6: FTP's record << 48 | that address's port << 32 | service << 16 | the server's port.
  /// Its replies (FULLNAT): the far end is the local address and port, words 4 and 5 are the client; word 6: the client's
  /// port << 48 | the service's port << 32 | the lower half of the connection's.
  case reply = 2
  /// Where a client's connections go (persistence), whatever its port. Word 6: see `Template`.
  case template = 3
  /// A former template whose server no longer counted when its client came again: it only waits for its end. Its near
  /// port is 65535, as IPVS shows it; in place of the far port stands the server's number. Word 6 as of a template.
  case orphan = 4
  /// A template of one call (SIP). In place of the far port and of the near address's digest stand bits of a hash of the
  /// call; word 4 is the number of the block with the near address and the Call-ID.
  case call = 5
  /// What `orphan` is to `template`.
  case callOrphan = 6

  var isTemplate: Bool { rawValue >= WideKind.template.rawValue }
  var isCall: Bool { self == .call || self == .callOrphan }
  var isOrphan: Bool { self == .orphan || self == .callOrphan }
}
