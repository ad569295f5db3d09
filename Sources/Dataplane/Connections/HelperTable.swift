import CShims

/// What lbd knows of FTP control connections besides their entries: records of four words, as many as there can be.
///
/// A record belongs to a control connection and to the data connections it has announced; the last of them gives it
/// back.
struct HelperTable {
  /// Word 0: see `SequenceShift`. 1: what the client has asked for. 2: connections that have the record. 3: the link of
  /// free ones.
  static var recordWords: Int { 4 }
  static var passive: UInt64 { 1 }
  static var extendedPassive: UInt64 { 2 }

  private let pool: BlockPool

  /// - Parameter memory: zeroed, `byteCount` bytes.
  init(memory: UnsafeMutableRawPointer) {
    pool = BlockPool(memory: memory, count: Limits.helperCapacity, blockWords: HelperTable.recordWords)
  }

  static var byteCount: Int { BlockPool.byteCount(of: Limits.helperCapacity, blockWords: recordWords) }

  /// A record for a new control connection.
  /// - Returns: its number, never 0; or 0 when there is none.
  func take() -> UInt16 {
    guard let number = pool.take() else { return 0 }
    let record = pool.block(number)
    lbd_store_relaxed(record, 0)
    lbd_store_relaxed(record + 1, 0)
    lbd_store_release(record + 2, 1)
    return UInt16(truncatingIfNeeded: number + 1)
  }

  /// - Parameter number: not 0.
  func record(of number: UInt16) -> UnsafeMutablePointer<UInt64> { pool.block(UInt64(number) &- 1) }

  /// A further connection has it.
  /// - Returns: false when nobody has it any more.
  func use(_ number: UInt16) -> Bool {
    let users = record(of: number) + 2
    while true {
      let old = lbd_load_acquire(users)
      if old == 0 { return false }
      if lbd_compare_exchange(users, old, old + 1) { return true }
    }
  }

  /// One of its connections has gone.
  func release(_ number: UInt16) {
    guard number != 0 else { return }
    let users = record(of: number) + 2
    while true {
      let old = lbd_load_acquire(users)
      if old == 0 { return }
      guard lbd_compare_exchange(users, old, old - 1) else { continue }
      if old == 1 { pool.give(UInt64(number) - 1) }
      return
    }
  }

  /// True while there are data connections.
  func isShared(_ number: UInt16) -> Bool { lbd_load_relaxed(record(of: number) + 2) > 1 }
}

/// By how much a server's sequence numbers are shifted, in one word: from a place on, and before it.
///
/// Upper half: the number of the segment that was changed last. Then 20 bits: the shift behind it; 12 bits: by how much that
/// differs from the one before.
struct SequenceShift {
  let word: UInt64

  init(word: UInt64) { self.word = word }

  private init(position: UInt32, after: Int32, delta: Int32) {
    word =
      UInt64(position) << 32 | UInt64(UInt32(bitPattern: after) & 0xf_ffff) << 12
      | UInt64(UInt32(bitPattern: delta) & 0xfff)
  }

  private var position: UInt32 { UInt32(truncatingIfNeeded: word >> 32) }
  private var after: Int32 { Int32(bitPattern: UInt32(truncatingIfNeeded: word)) >> 12 }
  private var before: Int32 { after - Int32(bitPattern: UInt32(truncatingIfNeeded: word) << 20) >> 20 }

  /// True while any announcement may still be added.
  var hasRoom: Bool { abs(after) < 1 << 19 - SequenceShift.deltaLimit }

  /// No announcement changes a segment by that much.
  static var deltaLimit: Int32 { 1 << 11 }

  /// True for the segment that was changed last.
  func isPlace(_ sequence: UInt32) -> Bool { word & 0xfff != 0 && position == sequence }

  /// The shift of a segment as the server sends it.
  func offset(at sequence: UInt32) -> Int32 { Int32(bitPattern: sequence &- position) > 0 ? after : before }

  /// The shift in a number as the client has it.
  func offset(ofShifted sequence: UInt32) -> Int32 {
    Int32(bitPattern: sequence &- UInt32(bitPattern: before) &- position) > 0 ? after : before
  }

  /// One that grows by `delta` behind a segment; the same one for a segment that is sent again.
  /// - Returns: nil when the shift would be larger than its place.
  func adding(_ delta: Int, at sequence: UInt32) -> SequenceShift? {
    if word != 0, before != after, Int32(bitPattern: sequence &- position) <= 0 { return self }
    let sum = Int(after) + delta
    guard abs(sum) < 1 << 19, abs(delta) < SequenceShift.deltaLimit else { return nil }
    return SequenceShift(position: sequence, after: Int32(sum), delta: Int32(delta))
  }
}
