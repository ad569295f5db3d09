import CShims

/// The connection table: fixed size, lock-free, one cache line for a lookup.
///
/// A line is 64 bytes: four IPv4 slots of key and value, or two IPv6 slots (layout: `bpf/lb_shared.h`). A key belongs to
/// the line its hash names; when that is full it goes to the next line with room. The lines it had to pass are marked
/// (two bits in the value word of their first slot), and a lookup goes on to the next line only where there is a mark:
/// so a miss, too, costs one line. The expiry hand takes marks away again (`clearMark`).
///
/// Readers never write. A writer claims an empty slot by compare-and-swap of its first word (0 -> reserved), fills in the
/// rest, and publishes the key last. Removing first swaps the value's state to "dead", which tells the remover the final
/// state exactly once, and then clears the key. Two workers that insert the same key at the same time both publish
/// and both look for the other; whoever sees one takes its own entry back. An entry may stand further on although a
/// slot before it has become free since, so the look goes over all its lines, before and after publishing.
///
/// The memory is a parameter: private huge pages today; a memory-mapped BPF array, so that the XDP program reads the same lines,
/// has the same layout.
struct ConnectionTable<Key: ConnectionKey> {
  typealias Slot = UnsafeMutablePointer<UInt64>

  let lines: Slot
  let lineMask: UInt64
  let secret: HashSecret

  static var wordsPerLine: Int { lineWords }
  @inline(__always)
  static var slotsPerLine: Int { lineWords / Key.wordsPerSlot }

  /// - Parameters:
  ///   - memory: zeroed, 64-byte aligned, `lineCount` * 64 bytes.
  ///   - lineCount: a power of two.
  init(memory: UnsafeMutableRawPointer, lineCount: Int, secret: HashSecret) {
    precondition(lineCount > 0 && lineCount & (lineCount - 1) == 0)
    lines = memory.assumingMemoryBound(to: UInt64.self)
    lineMask = UInt64(lineCount - 1)
    self.secret = secret
  }

  var lineCount: Int { Int(lineMask) + 1 }

  @inline(__always)
  func line(_ index: UInt64) -> Slot { lines + Int(truncatingIfNeeded: (index & lineMask) &* UInt64(lineWords)) }

  /// The word that holds a slot's connection.
  @inline(__always)
  static func value(_ slot: Slot) -> UnsafeMutablePointer<UInt64> { slot + (Key.wordsPerSlot - 1) }

  /// Asks for a line, and for the one behind it, where an entry is that found its own line full: at three quarters of
  /// the table's room many are.
  @inline(__always)
  static func prefetch(_ line: Slot) {
    lbd_prefetch(line)
    lbd_prefetch(line + wordsPerLine)
  }

  /// The slot that holds `key`, or nil.
  @inline(__always)
  func find(_ key: Key, hash: UInt64) -> Slot? {
    let first = line(hash)
    let slot = key.candidate(in: first)
    if key.matches(slot) { return slot }
    if let twin = key.twin(in: first) { return twin }
    if lbd_load_relaxed(Self.value(first)) & Connection.overflowMask == 0 { return nil }
    return findFurther(key, hash: hash)
  }

  /// The slot that holds `key`, and the connection in it.
  ///
  /// - Parameter first: the key's home line.
  /// The value is read before the key is compared: so it is the value of this key, even if another worker has just
  /// given the slot to somebody else.
  @inline(__always)
  func look(for key: Key, at first: Slot) -> (slot: Slot, connection: Connection)? {
    let slot = key.candidate(in: first)
    let connection = load(slot)
    if _fastPath(key.matches(slot)) { return (slot, connection) }
    let isPassed = lbd_load_relaxed(Self.value(first)) & Connection.overflowMask != 0
    guard let further = key.twin(in: first) ?? (isPassed ? findFurther(key, hash: key.hash(secret)) : nil) else {
      return nil
    }
    let other = load(further)
    return key.matches(further) ? (further, other) : nil
  }

  /// The home line is full, or was.
  @inline(never)
  private func findFurther(_ key: Key, hash: UInt64) -> Slot? {
    for distance in 1...UInt64(Limits.probeLineLimit) {
      let first = line(hash &+ distance)
      let slot = key.candidate(in: first)
      if key.matches(slot) { return slot }
      if let twin = key.twin(in: first) { return twin }
      if lbd_load_relaxed(Self.value(first)) & Connection.overflowMask == 0 { return nil }
    }
    return nil
  }

  /// True for a line without keys and without a mark: most lines of a table that is not full.
  @inline(__always)
  func isEmpty(_ first: Slot) -> Bool {
    var heads = lbd_load_relaxed(Self.value(first)) & Connection.overflowMask
    for position in 0..<Self.slotsPerLine { heads |= lbd_load_relaxed(first + position * Key.wordsPerSlot) }
    return heads == 0
  }

  // MARK: - Inserting

  /// What an insert found.
  enum Insertion {
    case inserted(Slot)
    /// Somebody else's entry with the same key.
    case existing(Slot)
    case full
  }

  /// Inserts a key, unless it is there.
  /// - Parameter continuation: for a FULLNAT reply, the client's key; it takes the neighbouring slot as well.
  func insert(
    _ key: Key, hash: UInt64, value: Connection, generation: UInt64, continuation: Key? = nil
  ) -> Insertion {
    let isPair = continuation != nil
    var other = find(key, hash: hash, besides: nil)
    for _ in 0..<Self.insertAttempts {
      if let other { return .existing(other) }
      guard let (slot, distance) = claim(hash: hash, pair: isPair) else { return .full }
      // Somebody who was about to remove the slot's former entry has taken this one for it: once more.
      guard fill(slot, key: key, value: value, generation: generation, continuation: continuation) else { continue }
      mark(from: hash, count: distance)
      guard let rival = find(key, hash: hash, besides: slot) else { return .inserted(slot) }
      _ = remove(slot, hasContinuation: isPair)
      // The rival may have given way as well: then there is nothing, and the next attempt decides.
      other = key.matches(rival) && !load(rival).isDead ? rival : nil
    }
    return .full
  }

  private static var insertAttempts: Int { 8 }

  /// A live entry of `key` in a slot besides `own`, wherever it stands.
  private func find(_ key: Key, hash: UInt64, besides own: Slot?) -> Slot? {
    for distance in 0...UInt64(Limits.probeLineLimit) {
      let first = line(hash &+ distance)
      for position in 0..<Self.slotsPerLine {
        let slot = first + position * Key.wordsPerSlot
        if slot != own, key.matches(slot), !load(slot).isDead { return slot }
      }
      if lbd_load_acquire(Self.value(first)) & Connection.overflowMask == 0 { return nil }
    }
    return nil
  }

  private func claim(hash: UInt64, pair: Bool) -> (slot: Slot, distance: UInt64)? {
    for distance in 0..<UInt64(Limits.probeLineLimit) {
      if let slot = claim(line(hash &+ distance), pair: pair) { return (slot, distance) }
    }
    return nil
  }

  private func claim(_ first: Slot, pair: Bool) -> Slot? {
    var position = 0
    while position < Self.slotsPerLine {
      let slot = first + position * Key.wordsPerSlot
      if lbd_load_relaxed(slot) == 0, lbd_compare_exchange(slot, 0, reservedHead) {
        guard pair else { return slot }
        let next = slot + Key.wordsPerSlot
        if lbd_compare_exchange(next, 0, reservedHead) { return slot }
        lbd_store_release(slot, 0)
      }
      position += pair ? 2 : 1
    }
    return nil
  }

  /// - Returns: false when the slot was freed under its new owner's hands.
  private func fill(
    _ slot: Slot, key: Key, value: Connection, generation: UInt64, continuation: Key?
  ) -> Bool {
    if let continuation {
      let next = slot + Key.wordsPerSlot
      continuation.writeTail(next)
      lbd_store_release(next, continuation.continuation)
    }
    key.writeTail(slot)
    var old = lbd_load_relaxed(Self.value(slot))
    while !lbd_compare_exchange(
      Self.value(slot), old, value.word & ~Connection.overflowMask | old & Connection.overflowMask)
    {
      old = lbd_load_relaxed(Self.value(slot))
    }
    // Published by an exchange, not by a store: what `insert` reads next must not be read before others see the key.
    if lbd_compare_exchange(slot, reservedHead, key.head(generation: generation)) { return true }
    if continuation != nil { lbd_store_release(slot + Key.wordsPerSlot, 0) }
    return false
  }

  // MARK: - Marks of full lines

  private static var marked: UInt64 { 1 << UInt64(LB_VALUE_OVERFLOW_SHIFT) }
  private static var clearing: UInt64 { 2 << UInt64(LB_VALUE_OVERFLOW_SHIFT) }

  /// Marks the lines an entry had to pass. Done after the entry is published: a hand that was just taking a mark away
  /// then either sees the entry or loses its compare-and-swap. The farthest line comes first: a hand that looks past a
  /// line stops at one without a mark, so a mark found in place is only safe when all lines behind it have theirs.
  private func mark(from hash: UInt64, count: UInt64) {
    for distance in (0..<count).reversed() {
      let word = Self.value(line(hash &+ distance))
      var old = lbd_load_acquire(word)
      while old & Connection.overflowMask != Self.marked,
        !lbd_compare_exchange(word, old, old & ~Connection.overflowMask | Self.marked)
      {
        old = lbd_load_acquire(word)
      }
    }
  }

  /// Takes the mark off a line whose displaced entries have all gone. Called by the expiry hand.
  func clearMark(line index: UInt64) {
    let word = Self.value(line(index))
    var old = lbd_load_acquire(word)
    guard old & Connection.overflowMask != 0 else { return }
    guard lbd_compare_exchange(word, old, old & ~Connection.overflowMask | Self.clearing) else { return }
    let needed = isPassed(index)
    old = lbd_load_acquire(word)
    while old & Connection.overflowMask == Self.clearing {
      let new = old & ~Connection.overflowMask | (needed ? Self.marked : 0)
      if lbd_compare_exchange(word, old, new) { return }
      old = lbd_load_acquire(word)
    }
  }

  /// True when an entry further on had to pass line `index`.
  private func isPassed(_ index: UInt64) -> Bool {
    for distance in 1...UInt64(Limits.probeLineLimit) {
      let first = line(index &+ distance)
      for position in 0..<Self.slotsPerLine {
        let slot = first + position * Key.wordsPerSlot
        let head = lbd_load_acquire(slot)
        if head == 0 || head & 0xffff == 0xffff { continue }
        if head == reservedHead { return true }
        let home = Key(slot).hash(secret) & lineMask
        let traveled = ((index &+ distance) &- home) & lineMask
        if traveled >= distance, traveled <= UInt64(Limits.probeLineLimit) { return true }
      }
      if lbd_load_acquire(Self.value(first)) & Connection.overflowMask == 0 { return false }
    }
    return false
  }

  // MARK: - Removing

  /// Removes the entry in `slot`.
  /// - Returns: its last value, or nil when somebody else has removed it.
  func remove(_ slot: Slot, hasContinuation: Bool) -> Connection? {
    let word = Self.value(slot)
    var old = Connection(word: lbd_load_acquire(word))
    repeat {
      if old.isDead { return nil }
      if lbd_compare_exchange(word, old.word, old.word | Connection.stateMask) { break }
      old = Connection(word: lbd_load_acquire(word))
    } while true
    free(slot, hasContinuation: hasContinuation)
    return old
  }

  /// Removes the entry in `slot` if its connection is still `old`: a packet may have come meanwhile.
  func remove(_ slot: Slot, ifStill old: Connection, hasContinuation: Bool) -> Bool {
    guard !old.isDead, lbd_compare_exchange(Self.value(slot), old.word, old.word | Connection.stateMask) else {
      return false
    }
    free(slot, hasContinuation: hasContinuation)
    return true
  }

  private func free(_ slot: Slot, hasContinuation: Bool) {
    if hasContinuation { lbd_store_release(slot + Key.wordsPerSlot, 0) }
    lbd_store_release(slot, 0)
  }

  /// Replaces the connection in `slot` if it is still `old`.
  @inline(__always)
  func replace(_ slot: Slot, old: Connection, with new: Connection) -> Bool {
    lbd_compare_exchange(Self.value(slot), old.word, new.word)
  }

  @inline(__always)
  func load(_ slot: Slot) -> Connection { Connection(word: lbd_load_acquire(Self.value(slot))) }
}

/// 64-bit words of a line.
@inline(__always)
var lineWords: Int { Int(LB_LINE_BYTES) / 8 }

@inline(__always)
private var reservedHead: UInt64 { UInt64(LB_KEY_RESERVED) }
