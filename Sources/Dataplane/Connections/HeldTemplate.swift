import CShims

/// The template that a connection was opened through, and holds for as long as it lives.
///
/// A connection has no room for where that is; it is looked for. It is one of its client as the service's mask had it then
/// (of which the connection has a digest), leads to the connection's server, and counts. That may be several, of which
/// one has ceased to lead there meanwhile: whichever counts is released, so that in the end none does.
extension WorkerState {
  /// A connection that was opened through a template has gone, or could not be opened.
  mutating func releaseTemplate<Key: ConnectionKey>(of key: Key, _ connection: Connection, service number: UInt16) {
    if key.templateLine != 0 {
      if let slot = callTemplate(of: key, connection) { _ = unbindTemplate(slot) }
      return
    }
    let count = templateCandidates(service: number)
    for candidate in 0..<count {
      guard let slot = heldTemplate(candidate, of: key, connection, service: number) else { continue }
      if unbindTemplate(slot) { return }
    }
  }

  /// A controlled connection has been established, or answered: its template is worth keeping when memory is short.
  mutating func assureTemplate<Key: ConnectionKey>(of key: Key, _ connection: Connection, service number: UInt16) {
    guard let slot = heldTemplate(of: key, connection, service: number) else { return }
    let old = shared.tableWide.load(slot)
    var new = old
    new.state = 1
    if !old.isDead, old.server == server(connection.server).pointee.owner, old.state == 0 {
      _ = shared.tableWide.replace(slot, old: old, with: new)
    }
  }

  /// A connection has been removed in defence: so is its template, unless others hold it or one has vouched for it.
  mutating func dropTemplate<Key: ConnectionKey>(of key: Key, _ connection: Connection) {
    let number = server(connection.server).pointee.service
    guard let slot = heldTemplate(of: key, connection, service: number) else { return }
    if shared.tableWide.load(slot).state == 0 { dropTemplate(slot) }
  }

  private mutating func heldTemplate<Key: ConnectionKey>(
    of key: Key, _ connection: Connection, service number: UInt16
  ) -> UnsafeMutablePointer<UInt64>? {
    if key.templateLine != 0 { return callTemplate(of: key, connection) }
    let count = templateCandidates(service: number)
    for candidate in 0..<count {
      if let slot = heldTemplate(candidate, of: key, connection, service: number) { return slot }
    }
    return nil
  }

  /// How many places there are to look: by each mask, those that lead to a server and those that do not any more; first
  /// by the mask that the connection says, then by the others.
  private mutating func templateCandidates(service number: UInt16) -> Int {
    service(number).pointee.persistenceMaskCount * 4
  }

  private mutating func heldTemplate<Key: ConnectionKey>(
    _ candidate: Int, of key: Key, _ connection: Connection, service number: UInt16
  ) -> UnsafeMutablePointer<UInt64>? {
    let service = service(number)
    let masks = service.pointee.persistenceMaskCount
    let isLikely = candidate < masks * 2
    let mask = candidate / 2 % masks
    let isItsMask = service.pointee.persistenceMasks[mask].digest == connection.templateMask
    guard isLikely == isItsMask, var template = templateKey(service, client: key.farAddress, mask: mask) else {
      return nil
    }
    let owner = server(connection.server).pointee.owner
    if candidate % 2 == 1 { template = template.orphan(of: owner) }
    let table = shared.tableWide
    guard let slot = table.find(template, hash: template.hash(table.secret)), template.isExact(slot) else { return nil }
    let value = table.load(slot)
    return !value.isDead && value.server == owner ? slot : nil
  }

  /// Counts a connection out.
  /// - Returns: false when there was none.
  func unbindTemplate(_ slot: UnsafeMutablePointer<UInt64>) -> Bool {
    while true {
      let old = lbd_load_acquire(slot + 6)
      if old & 0xffff_ffff == 0 { return false }
      if lbd_compare_exchange(slot + 6, old, old &- 1) { return true }
    }
  }

  /// A template ceases to lead to its server, as another one of its client has before: they are one from now on, as old as
  /// the later one.
  /// - Parameter word: its lifetime and connections.
  func merge(_ template: Connection, _ word: UInt64, into slot: UnsafeMutablePointer<UInt64>) {
    let count = word & 0xffff_ffff
    while true {
      let old = lbd_load_acquire(slot + 6)
      if old == 0 { return }
      if lbd_compare_exchange(slot + 6, old, word &- count &+ (old & 0xffff_ffff) &+ count) { break }
    }
    var old = shared.tableWide.load(slot)
    while !old.isDead {
      let mark = old.word & Connection.overflowMask
      let new = Connection(word: template.word & ~Connection.overflowMask | mark)
      if shared.tableWide.replace(slot, old: old, with: new) { return }
      old = shared.tableWide.load(slot)
    }
  }
}
