import CShims

/// Where the Call-IDs of templates stand (`docs/decisions/0017`).
///
/// A block belongs to one template, from before that is published until after it has gone. A reader may look into a block
/// that is just being given to another call. All it reads are words, and it looks at its template again afterwards.
struct CallTable {
  /// Words of a block: near address, count of bytes, 255 bytes and one of zero; the last one links free blocks.
  static var blockWords: Int { 40 }
  static var headWords: Int { 3 }

  private let pool: BlockPool

  /// - Parameter memory: zeroed, `byteCount(of: count)` bytes.
  init(memory: UnsafeMutableRawPointer, count: Int) {
    pool = BlockPool(memory: memory, count: count, blockWords: CallTable.blockWords)
  }

  static func byteCount(of count: Int) -> Int { BlockPool.byteCount(of: count, blockWords: blockWords) }

  /// Takes a block and fills it.
  /// - Returns: its number, or nil when all are in use.
  func take(_ record: CallRecord) -> UInt64? {
    guard let number = pool.take() else { return nil }
    let words = pool.block(number)
    for index in 0..<record.wordCount { lbd_store_relaxed(words + index, record.words[index]) }
    return number
  }

  /// Gives a block back.
  func give(_ number: UInt64) { pool.give(number) }

  /// True when a block has what the record says.
  func holds(_ record: CallRecord, in number: UInt64) -> Bool {
    let words = pool.block(number)
    var difference: UInt64 = 0
    for index in 0..<record.wordCount { difference |= lbd_load_relaxed(words + index) ^ record.words[index] }
    return difference == 0
  }

  /// Reads a block into a record.
  func read(_ number: UInt64, into record: CallRecord) {
    let words = pool.block(number)
    for index in 0..<CallTable.headWords { record.words[index] = lbd_load_relaxed(words + index) }
    record.words[2] = min(record.words[2], UInt64(CallRecord.byteLimit))
    for index in CallTable.headWords..<record.wordCount { record.words[index] = lbd_load_relaxed(words + index) }
  }
}

/// A call as it stands in a block, in memory of one worker's own.
struct CallRecord {
  /// Near address, upper and lower half; count of bytes; the bytes.
  let words: UnsafeMutablePointer<UInt64>
  static var byteLimit: Int { 255 }

  init() {
    words = .allocate(capacity: CallTable.blockWords)
    words.initialize(repeating: 0, count: CallTable.blockWords)
  }

  func deallocate() { words.deallocate() }

  /// Words that count.
  var wordCount: Int { CallTable.headWords + (Int(words[2]) + 7) / 8 }

  var near: (high: UInt64, low: UInt64) { (words[0], words[1]) }

  var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: words + CallTable.headWords, count: Int(words[2]))
  }

  /// - Parameter bytes: `byteLimit` at most.
  func set(near: (high: UInt64, low: UInt64), bytes: UnsafeRawBufferPointer) {
    let count = min(bytes.count, CallRecord.byteLimit)
    (words[0], words[1], words[2]) = (near.high, near.low, UInt64(count))
    guard count > 0, let start = bytes.baseAddress else { return }
    words[wordCount - 1] = 0
    UnsafeMutableRawPointer(words + CallTable.headWords).copyMemory(from: start, byteCount: count)
  }

  /// 64 bits that nobody outside can foresee.
  func hash(_ secret: HashSecret) -> UInt64 {
    var sum: UInt64 = 0
    for index in 0..<wordCount { sum = secret.mix(sum &+ words[index]) &+ secret.offset }
    return secret.mix(sum)
  }
}
