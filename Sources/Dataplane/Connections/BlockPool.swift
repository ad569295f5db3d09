import CShims

/// Blocks of one size, as many as there were at start, which workers take and give back.
///
/// Free blocks are a list, whose head counts its changes, so that a worker that was held up between looking and taking
/// finds that it has to look again. Blocks that have never been used are not in the list and their memory has never been
/// touched.
struct BlockPool {
  /// 0: changes << 32 | first free block + 1. 1: blocks ever used.
  private let state: UnsafeMutablePointer<UInt64>
  private let blocks: UnsafeMutablePointer<UInt64>
  private let blockWords: Int
  let count: Int

  /// - Parameters:
  ///   - memory: zeroed, `byteCount(of:blockWords:)` bytes.
  ///   - blockWords: 64-bit words of a block; the last one links free blocks.
  init(memory: UnsafeMutableRawPointer, count: Int, blockWords: Int) {
    state = memory.assumingMemoryBound(to: UInt64.self)
    blocks = state + 8
    self.count = count
    self.blockWords = blockWords
  }

  static func byteCount(of count: Int, blockWords: Int) -> Int { (count * blockWords + 8) * 8 }

  /// A block; the last one for a number that is none's.
  func block(_ number: UInt64) -> UnsafeMutablePointer<UInt64> {
    blocks + Int(min(number, UInt64(count - 1))) * blockWords
  }

  private func link(_ number: UInt64) -> UnsafeMutablePointer<UInt64> { block(number) + (blockWords - 1) }

  /// - Returns: a block's number, or nil when all are in use.
  func take() -> UInt64? {
    while true {
      let old = lbd_load_acquire(state)
      guard old & 0xffff_ffff != 0 else { return takeNew() }
      let number = (old & 0xffff_ffff) - 1
      let next = lbd_load_relaxed(link(number)) & 0xffff_ffff
      if lbd_compare_exchange(state, old, (old >> 32 &+ 1) << 32 | next) { return number }
    }
  }

  private func takeNew() -> UInt64? {
    while true {
      let used = lbd_load_relaxed(state + 1)
      guard used < UInt64(count) else { return nil }
      if lbd_compare_exchange(state + 1, used, used + 1) { return used }
    }
  }

  /// Gives a block back.
  func give(_ number: UInt64) {
    guard number < UInt64(count) else { return }
    while true {
      let old = lbd_load_acquire(state)
      lbd_store_relaxed(link(number), old & 0xffff_ffff)
      if lbd_compare_exchange(state, old, (old >> 32 &+ 1) << 32 | (number + 1)) { return }
    }
  }
}
