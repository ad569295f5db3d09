import CShims
import Wire

/// Persistence: a client's connections go where its first one went.
///
/// What is remembered is a *template*, an entry of the wide table whose key is the client (as far as the service's mask
/// tells clients apart) and the service, whatever the client's port. It lives for the service's timeout after the last
/// connection that was opened through it; when that has passed and connections are still there, for 60 seconds again and
/// again, and 60 seconds it stays from then on.
///
/// Word 6 of a template is its lifetime in seconds << 32 | connections opened through it, changed by compare-and-swap.
/// It is 0 while the slot is being freed: so a template that gets a connection at that moment is either kept, or not found.
extension WorkerState {
  /// Seconds that a template lives on while connections hold it.
  private static var extensionSeconds: UInt64 { 60 }

  /// The server of a client's template, or one that is scheduled and remembered.
  /// - Parameter connection: the new connection's key, which notes a template that cannot be found by it later.
  /// - Returns: the server's number, the template counting one connection more; or nil, the packet's journey having
  ///   ended.
  mutating func pickPersistent<Key: ConnectionKey>(
    _ index: Int, service number: UInt16, _ service: UnsafePointer<ServiceRecord>, for connection: inout Key
  ) -> UInt16? {
    let client = batch.packet(index).pointee.sourceAddress
    if service.pointee.goesByCall {
      guard let key = callKey(index, service, client: client) else {
        batch.finish(index, .noCallIdentifier)
        return nil
      }
      return pickPersistent(index, service: number, service, key: key, for: &connection)
    }
    guard let key = templateKey(service, client: client, mask: 0) else {
      return pick(index, service: service, number: number)
    }
    return pickPersistent(index, service: number, service, key: key, for: &connection)
  }

  /// - Parameter fixed: the one server that will do; nil for whichever the template or the scheduler says.
  mutating func pickPersistent<Key: ConnectionKey>(
    _ index: Int, service number: UInt16, _ service: UnsafePointer<ServiceRecord>, key: KeyWide,
    for connection: inout Key, fixed: UInt16? = nil
  ) -> UInt16? {
    let lifetime = UInt64(service.pointee.persistenceSeconds)
    for _ in 0..<Limits.templateAttempts {
      if let slot = findTemplate(key) {
        let server = shared.tableWide.load(slot).server
        if isValid(server, service: number), fixed ?? server == server {
          guard bindTemplate(slot, key) else { continue }
          note(slot, key, for: &connection)
          return server
        }
        makeOrphan(of: key, slot)
        continue
      }
      guard let server = fixed ?? pick(index, service: service, number: number) else { return nil }
      switch insertTemplate(key, server: server, lifetime: lifetime) {
      case .inserted(let slot):
        note(slot, key, for: &connection)
        return server
      case .existing:
        continue
      case .full:
        batch.finish(index, .tableFull)
        return nil
      }
    }
    batch.finish(index, .tableFull)
    return nil
  }

  private mutating func insertTemplate(
    _ key: KeyWide, server: UInt16, lifetime: UInt64
  ) -> ConnectionTable<KeyWide>.Insertion {
    guard var key = withBlock(key) else { return .full }
    key.extra = lifetime << 32 | 1
    var value = Connection(server: server, noOutput: false)
    value.touch(clock)
    let result = shared.tableWide.insert(
      key, hash: key.hash(shared.tableWide.secret), value: value, generation: nextGeneration())
    guard case .inserted = result else {
      giveBlock(of: key)
      return result
    }
    countEntries(KeyWide.self, 1)
    _ = lbd_fetch_add(shared.templateCounts + Int(server), 1)
    shared.checkUpperThreshold(server, record: self.server(server))
    return result
  }

  /// The expiry hand has come to a template.
  mutating func sweepTemplate(_ slot: UnsafeMutablePointer<UInt64>) {
    let connection = shared.tableWide.load(slot)
    let word = lbd_load_acquire(slot + 6)
    if connection.isDead || word == 0 { return }
    let isUnused = word & 0xffff_ffff == 0 || KeyWide(slot).kind == .callOrphan
    if isUnused, server(connection.server).pointee.isForgotten { return removeTemplate(slot, word) }
    let idle = connection.idleTicks(clock)
    if idle <= (word >> 32) &* Clock.ticksPerSecond {
      if !connection.isCoarse, idle > Clock.tickMask / 4 {
        var coarse = connection
        coarse.coarsen(clock)
        _ = shared.tableWide.replace(slot, old: connection, with: coarse)
      }
      return
    }
    if !isUnused {
      _ = lbd_compare_exchange(slot + 6, word, Self.extensionSeconds << 32 | word & 0xffff_ffff)
      restamp(slot)
      return
    }
    removeTemplate(slot, word)
  }

  /// Removes a template that no connection holds.
  mutating func dropTemplate(_ slot: UnsafeMutablePointer<UInt64>) {
    let word = lbd_load_acquire(slot + 6)
    if word != 0, word & 0xffff_ffff == 0 { removeTemplate(slot, word) }
  }

  private mutating func removeTemplate(_ slot: UnsafeMutablePointer<UInt64>, _ word: UInt64) {
    let key = KeyWide(slot)
    guard lbd_compare_exchange(slot + 6, word, 0),
      let last = shared.tableWide.remove(slot, hasContinuation: false)
    else { return }
    giveBlock(of: key)
    countEntries(KeyWide.self, -1)
    _ = lbd_fetch_add(shared.templateCounts + Int(last.server), 0 &- 1)
    shared.checkLowerThreshold(last.server, record: server(last.server))
  }

  /// The key of a service's templates.
  /// - Parameters:
  ///   - client: one of those it is for.
  ///   - mask: which of the service's masks; there may be none.
  mutating func templateKey(
    _ service: UnsafePointer<ServiceRecord>, client: (high: UInt64, low: UInt64), mask: Int
  ) -> KeyWide? {
    guard mask < service.pointee.persistenceMaskCount else { return nil }
    let bits = service.pointee.persistenceMasks[mask]
    let isMark = service.pointee.mark != 0
    let near = isMark ? (0, UInt64(service.pointee.mark)) : (service.pointee.addressHigh, service.pointee.addressLow)
    let port = service.pointee.port == 21 ? 0 : service.pointee.port
    return KeyWide(
      .template, far: (client.high & bits.high, client.low & bits.low), farPort: 0, near: near, nearPort: port,
      protocolNumber: isMark ? 0 : service.pointee.protocolNumber, secret: shared.tableWide.secret)
  }

  /// A template that has not timed out.
  mutating func findTemplate(_ key: KeyWide) -> UnsafeMutablePointer<UInt64>? {
    guard let slot = shared.tableWide.find(key, hash: key.hash(shared.tableWide.secret)), isExact(key, slot) else {
      return nil
    }
    let word = lbd_load_acquire(slot + 6)
    guard shared.tableWide.load(slot).idleTicks(clock) > (word >> 32) &* Clock.ticksPerSecond else { return slot }
    sweepTemplate(slot)
    return word & 0xffff_ffff != 0 ? slot : nil
  }

  /// A template leads to its server as long as that is in the service, whatever its weight and load.
  private mutating func isValid(_ server: UInt16, service number: UInt16) -> Bool {
    let server = self.server(server)
    guard server.pointee.isAvailable, server.pointee.service == number, server.pointee.draining == .none else {
      return false
    }
    return !snapshot.pointee.settings.expiresQuiescentTemplates || !server.pointee.isQuiescent
  }

  /// Counts a connection more, from now on.
  /// - Returns: false when the template has just gone.
  private mutating func bindTemplate(_ slot: UnsafeMutablePointer<UInt64>, _ key: KeyWide) -> Bool {
    while true {
      let old = lbd_load_acquire(slot + 6)
      if old == 0 { return false }
      if lbd_compare_exchange(slot + 6, old, old &+ 1) { break }
    }
    guard key.matches(slot), isExact(key, slot) else {
      // It was another template's by then; that one cannot have gone while we counted in it.
      _ = unbindTemplate(slot)
      return false
    }
    restamp(slot)
    return true
  }

  private func restamp(_ slot: UnsafeMutablePointer<UInt64>) {
    var old = shared.tableWide.load(slot)
    while !old.isDead {
      var new = old
      new.touch(clock)
      if shared.tableWide.replace(slot, old: old, with: new) { return }
      old = shared.tableWide.load(slot)
    }
  }

  /// A template whose server does not count any more makes room for another one. It stays in listings, and in its
  /// server's count, for as long as it would have lived.
  private mutating func makeOrphan(of key: KeyWide, _ slot: UnsafeMutablePointer<UInt64>) {
    let word = lbd_load_acquire(slot + 6)
    let former = KeyWide(slot)
    guard word != 0, isExact(key, slot), lbd_compare_exchange(slot + 6, word, 0),
      let last = shared.tableWide.remove(slot, hasContinuation: false)
    else { return }
    countEntries(KeyWide.self, -1)
    var orphan = key.orphan(of: last.server)
    (orphan.nearHigh, orphan.nearLow) = (former.nearHigh, former.nearLow)
    orphan.extra = word
    let value = Connection(word: last.word & ~Connection.overflowMask)
    let result = shared.tableWide.insert(
      orphan, hash: orphan.hash(shared.tableWide.secret), value: value, generation: nextGeneration())
    switch result {
    case .inserted: return countEntries(KeyWide.self, 1)
    case .existing(let other): merge(value, word, into: other)
    case .full: break
    }
    giveBlock(of: former)
    _ = lbd_fetch_add(shared.templateCounts + Int(last.server), 0 &- 1)
  }
}
