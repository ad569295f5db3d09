import CShims

/// What a connection is found by: the far end's address and port, and the number of the near end (endpoint).
///
/// The near end (VIP:port of a service, or address:port of a real server that answers) has been turned into a 16-bit
/// endpoint number before, so an IPv4 key is one word. Requests and replies have keys of the same shape:
///
///     request            client address, client port, endpoint of the VIP:port
///     reply, NAT         client address, client port, endpoint of the server's address:port
///     reply, FULLNAT     local address,  local port,  endpoint of the server's address:port
///
/// A table is specialised for one kind of key.
protocol ConnectionKey: BitwiseCopyable, Equatable {
  /// 64-bit words of a slot: the key's and the value.
  static var wordsPerSlot: Int { get }
  /// True when the slot holds this key. Reads the first word last as well, when the key has several.
  func matches(_ slot: UnsafeMutablePointer<UInt64>) -> Bool
  /// The slot of a line that holds this key if any of them does: chosen without a branch, which nobody could predict.
  func candidate(in line: UnsafeMutablePointer<UInt64>) -> UnsafeMutablePointer<UInt64>
  /// A slot that holds this key although `candidate` is none: two do for the moment in which one of two workers that have
  /// put in the same key gives way.
  func twin(in line: UnsafeMutablePointer<UInt64>) -> UnsafeMutablePointer<UInt64>?
  /// Writes all words of the key but the first.
  func writeTail(_ slot: UnsafeMutablePointer<UInt64>)
  /// The first word; `generation` distinguishes lives of one slot where the key has several words.
  func head(generation: UInt64) -> UInt64
  /// From a slot, the other way round.
  init(_ slot: UnsafeMutablePointer<UInt64>)
  /// From an address in two words (IPv4 in the low half of `low`), a port and an endpoint number.
  init(high: UInt64, low: UInt64, port: UInt16, endpoint: UInt16)
  /// The far end's port.
  var port: UInt16 { get }
  /// The far end's address in two words, IPv4 in the low half of the second.
  var farAddress: (high: UInt64, low: UInt64) { get }
  /// The near end's number.
  var endpoint: UInt16 { get }
  /// The same far end at another near end.
  func at(endpoint: UInt16) -> Self
  /// Where in the table it belongs.
  func hash(_ secret: HashSecret) -> UInt64
  /// Notes what a new entry shall say beside its key; only wide keys have room for it.
  mutating func note(service: UInt16, serverPort: UInt16)
  /// The same for FULLNAT, whose entries have other things in that place.
  mutating func noteTranslated(serverPort: UInt16)
  /// True when an entry for FULLNAT's replies takes two slots, the client in the second.
  static var hasPairs: Bool { get }
  /// Where the template stands that had a say in a new entry, as its line + 1; 0 where the template is found otherwise.
  var templateLine: UInt32 { get set }
  /// The record in `HelperTable` that a connection has; 0 for none.
  var helper: UInt16 { get set }
  /// True for a connection that its control connection has announced.
  var isExpected: Bool { get set }
  /// The protocol, where the key says it; else 0.
  var ownProtocolNumber: UInt8 { get }
  /// Whether it is a request's or a reply's.
  func role(_ snapshot: UnsafePointer<SnapshotView>) -> EndpointRecord.Kind
  /// The key of a request's replies; nil for DR and TUN, whose replies do not pass here.
  func replies(
    _ connection: Connection, server: UnsafePointer<ServerRecord>, service: UnsafePointer<ServiceRecord>,
    secret: HashSecret
  ) -> Self?
  /// The key of a reply's requests.
  func requests(
    at slot: UnsafeMutablePointer<UInt64>, server: UnsafePointer<ServerRecord>, service: UnsafePointer<ServiceRecord>,
    secret: HashSecret
  ) -> Self
  /// First word of a slot that continues its neighbour: the far end of another key, marked so that nothing matches it.
  var continuation: UInt64 { get }
}

extension ConnectionKey {
  @inline(__always)
  mutating func note(service: UInt16, serverPort: UInt16) {}
  @inline(__always)
  mutating func noteTranslated(serverPort: UInt16) {}
  @inline(__always)
  static var hasPairs: Bool { true }
  @inline(__always)
  var templateLine: UInt32 {
    get { 0 }
    set {}
  }
  @inline(__always)
  var helper: UInt16 {
    get { 0 }
    set {}
  }
  @inline(__always)
  var isExpected: Bool {
    get { false }
    set {}
  }
  @inline(__always)
  var ownProtocolNumber: UInt8 { 0 }
  @inline(__always)
  func role(_ snapshot: UnsafePointer<SnapshotView>) -> EndpointRecord.Kind { snapshot.pointee.endpoint(endpoint).kind }

  @inline(__always)
  func replies(
    _ connection: Connection, server: UnsafePointer<ServerRecord>, service: UnsafePointer<ServiceRecord>,
    secret: HashSecret
  ) -> Self? {
    switch server.pointee.method {
    case .directRouting, .tunnelling:
      return nil
    case .masquerading:
      return at(endpoint: server.pointee.endpoint)
    case .fullNAT:
      guard connection.localAddress < service.pointee.localAddressCount, let locals = service.pointee.localAddresses
      else { return nil }
      let local = locals + connection.localAddress
      return Self(
        high: local.pointee.high, low: local.pointee.low, port: connection.localPort, endpoint: server.pointee.endpoint)
    }
  }

  @inline(__always)
  func requests(
    at slot: UnsafeMutablePointer<UInt64>, server: UnsafePointer<ServerRecord>, service: UnsafePointer<ServiceRecord>,
    secret: HashSecret
  ) -> Self {
    let endpoint = service.pointee.endpoint
    return server.pointee.method == .fullNAT
      ? Self(slot + Self.wordsPerSlot).at(endpoint: endpoint) : at(endpoint: endpoint)
  }
}

/// Random numbers that keep strangers from choosing keys that collide.
///
/// A key of one word is multiplied by a secret odd number. Of an IPv6 address, secret numbers are added to the halves of
/// its words, and the sums multiplied with each other: the upper half of such a product is universal, so no pair of keys
/// collides for more than a few of all secrets. (Words of 64 bits times secrets would not do: where only their topmost
/// bits differ, so do the products', and many keys share few sums.) All is mixed once more, so that the low bits, which
/// choose the line, depend on every bit of the key. Multiplications of 64 bits and shifts only: a BPF program can
/// compute the same.
struct HashSecret {
  var offset: UInt64
  var multiplier: UInt64
  /// One for each half of an IPv6 address's words, from the topmost down.
  var addends: (UInt64, UInt64, UInt64, UInt64)

  init(seed: UInt64) {
    offset = HashSecret.scramble(seed &+ 0x9e37_79b9_7f4a_7c15)
    multiplier = HashSecret.scramble(seed &+ 0x3c6e_f372_fe94_f82a) | 1
    addends = (
      HashSecret.scramble(seed &+ 0xdaa6_6d2c_7ddf_743f), HashSecret.scramble(seed &+ 0x78dd_e6e5_fd29_f054),
      HashSecret.scramble(seed &+ 0x1715_609f_7c74_6c69), HashSecret.scramble(seed &+ 0xb54c_da58_fbbe_e87e)
    )
  }

  private static func scramble(_ seed: UInt64) -> UInt64 {
    var word = seed
    word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
    word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
    return word ^ word >> 31
  }

  /// 64 mixed bits.
  @inline(__always)
  func mix(_ word: UInt64) -> UInt64 {
    let mixed = spread((word ^ offset) &* multiplier)
    return mixed ^ mixed >> 32
  }

  /// 32 mixed bits of a key of one word.
  @inline(__always)
  func line(_ word: UInt64) -> UInt64 { spread((word ^ offset) &* multiplier) >> 32 }

  /// 32 mixed bits of a key of three.
  @inline(__always)
  func line(_ word: UInt64, high: UInt64, low: UInt64) -> UInt64 {
    // The upper half of one word with the lower half of the other: halves that often count up together are apart.
    let outer = (high >> 32 &+ addends.0) &* (low & 0xffff_ffff &+ addends.3)
    let inner = (low >> 32 &+ addends.2) &* (high & 0xffff_ffff &+ addends.1)
    return spread((word ^ offset) &* multiplier &+ outer &+ inner) >> 32
  }

  /// What was multiplied has its best bits at the top: they go down, and up again.
  @inline(__always)
  private func spread(_ word: UInt64) -> UInt64 { (word ^ word >> 32) &* 0xd6e8_feb8_6659_fd93 }
}

/// Client address, client port, endpoint in one word.
struct KeyV4: ConnectionKey {
  let word: UInt64

  @inline(__always)
  init(address: UInt32, port: UInt16, endpoint: UInt16) {
    word = UInt64(address) << 32 | UInt64(port) << 16 | UInt64(endpoint)
  }

  @inline(__always)
  init(high: UInt64, low: UInt64, port: UInt16, endpoint: UInt16) {
    self.init(address: UInt32(truncatingIfNeeded: low), port: port, endpoint: endpoint)
  }

  @inline(__always)
  init(_ slot: UnsafeMutablePointer<UInt64>) { word = lbd_load_acquire(slot) }

  /// From the word itself.
  @inline(__always)
  init(word: UInt64) { self.word = word }

  @inline(__always)
  static var wordsPerSlot: Int { 2 }

  @inline(__always)
  func candidate(in line: UnsafeMutablePointer<UInt64>) -> UnsafeMutablePointer<UInt64> {
    let isSecond = lbd_load_relaxed(line + 2) == word ? 1 : 0
    let isThird = lbd_load_relaxed(line + 4) == word ? 1 : 0
    let isFourth = lbd_load_relaxed(line + 6) == word ? 1 : 0
    return line + (isSecond &+ isThird &* 2 &+ isFourth &* 3) &* 2
  }
  @inline(__always)
  func twin(in line: UnsafeMutablePointer<UInt64>) -> UnsafeMutablePointer<UInt64>? {
    for position in 0..<4 where lbd_load_acquire(line + position * 2) == word { return line + position * 2 }
    return nil
  }
  @inline(__always)
  func matches(_ slot: UnsafeMutablePointer<UInt64>) -> Bool { lbd_load_acquire(slot) == word }
  @inline(__always)
  func writeTail(_ slot: UnsafeMutablePointer<UInt64>) {}
  @inline(__always)
  func head(generation: UInt64) -> UInt64 { word }
  @inline(__always)
  var endpoint: UInt16 { UInt16(truncatingIfNeeded: word) }
  @inline(__always)
  var port: UInt16 { UInt16(truncatingIfNeeded: word >> 16) }
  @inline(__always)
  var address: UInt32 { UInt32(truncatingIfNeeded: word >> 32) }
  var farAddress: (high: UInt64, low: UInt64) { (0, word >> 32) }
  @inline(__always)
  func at(endpoint: UInt16) -> KeyV4 { KeyV4(word: word & ~0xffff | UInt64(endpoint)) }
  @inline(__always)
  func hash(_ secret: HashSecret) -> UInt64 { secret.line(word) }
  @inline(__always)
  var continuation: UInt64 { word | UInt64(LB_ENDPOINT_CONTINUATION) }
}

/// The same for IPv6, in three words: port and endpoint (with the slot's generation above them), then the address.
struct KeyV6: ConnectionKey {
  let high: UInt64
  let low: UInt64
  let portAndEndpoint: UInt64

  @inline(__always)
  init(high: UInt64, low: UInt64, port: UInt16, endpoint: UInt16) {
    self.high = high
    self.low = low
    portAndEndpoint = UInt64(port) << 16 | UInt64(endpoint)
  }

  @inline(__always)
  init(_ slot: UnsafeMutablePointer<UInt64>) {
    portAndEndpoint = lbd_load_acquire(slot) & 0xffff_ffff
    high = lbd_load_relaxed(slot + 1)
    low = lbd_load_relaxed(slot + 2)
  }

  /// - Parameter head: first word of a slot or of a key: port and endpoint count, the generation does not.
  @inline(__always)
  init(high: UInt64, low: UInt64, head: UInt64) {
    self.high = high
    self.low = low
    portAndEndpoint = head & 0xffff_ffff
  }

  @inline(__always)
  static var wordsPerSlot: Int { 4 }

  @inline(__always)
  func candidate(in line: UnsafeMutablePointer<UInt64>) -> UnsafeMutablePointer<UInt64> {
    let difference =
      (lbd_load_relaxed(line + 4) ^ portAndEndpoint) & 0xffff_ffff | (lbd_load_relaxed(line + 5) ^ high)
      | (lbd_load_relaxed(line + 6) ^ low)
    return line + (difference == 0 ? 4 : 0)
  }

  @inline(__always)
  func twin(in line: UnsafeMutablePointer<UInt64>) -> UnsafeMutablePointer<UInt64>? { matches(line) ? line : nil }

  @inline(__always)
  func matches(_ slot: UnsafeMutablePointer<UInt64>) -> Bool {
    let head = lbd_load_acquire(slot)
    guard head & 0xffff_ffff == portAndEndpoint else { return false }
    guard lbd_load_acquire(slot + 1) == high, lbd_load_acquire(slot + 2) == low else { return false }
    return lbd_load_relaxed(slot) == head
  }

  @inline(__always)
  func writeTail(_ slot: UnsafeMutablePointer<UInt64>) {
    lbd_store_relaxed(slot + 1, high)
    lbd_store_relaxed(slot + 2, low)
  }

  @inline(__always)
  func head(generation: UInt64) -> UInt64 { generation << 32 | portAndEndpoint }
  var farAddress: (high: UInt64, low: UInt64) { (high, low) }
  @inline(__always)
  var endpoint: UInt16 { UInt16(truncatingIfNeeded: portAndEndpoint) }
  @inline(__always)
  var port: UInt16 { UInt16(truncatingIfNeeded: portAndEndpoint >> 16) }
  @inline(__always)
  func at(endpoint: UInt16) -> KeyV6 { KeyV6(high: high, low: low, port: port, endpoint: endpoint) }
  @inline(__always)
  func hash(_ secret: HashSecret) -> UInt64 {
    secret.line(portAndEndpoint, high: high, low: low)
  }
  @inline(__always)
  var continuation: UInt64 { portAndEndpoint | UInt64(LB_ENDPOINT_CONTINUATION) }
}
