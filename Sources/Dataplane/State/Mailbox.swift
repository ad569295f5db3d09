import CShims

/// Control's words to one worker: a ring with one writer and one reader, read between two batches.
///
/// A word is an address (of a snapshot view) or a small command. The ring is far larger than the number of commands
/// that can be outstanding; when it is full all the same, `post` says so and control tries again.
final class Mailbox: @unchecked Sendable {
  /// What control can say.
  enum Message {
    /// Use this snapshot from the next batch on.
    case snapshot(UnsafePointer<SnapshotView>)
    /// Say what you remember from batch to batch (`WorkerMemory`).
    case remember
    /// End the loop.
    case stop
  }

  /// What the worker remembers, as of when it was last asked.
  let memory = WorkerMemory()

  private static let capacity = 256
  private let words: UnsafeMutablePointer<UInt64>
  // Cursors on cache lines of their own.
  private let head: UnsafeMutablePointer<UInt64>
  private let tail: UnsafeMutablePointer<UInt64>
  private let generation: UnsafeMutablePointer<UInt64>
  private let remembered: UnsafeMutablePointer<UInt64>
  private let block: UnsafeMutableRawPointer

  private static let stopWord: UInt64 = 1
  private static let rememberWord: UInt64 = 2

  init() {
    let byteCount = Mailbox.capacity * 8 + 4 * 64
    block = .allocate(byteCount: byteCount, alignment: 64)
    block.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    head = block.assumingMemoryBound(to: UInt64.self)
    tail = (block + 64).assumingMemoryBound(to: UInt64.self)
    generation = (block + 128).assumingMemoryBound(to: UInt64.self)
    remembered = (block + 192).assumingMemoryBound(to: UInt64.self)
    words = (block + 256).assumingMemoryBound(to: UInt64.self)
  }

  deinit {
    block.deallocate()
  }

  /// Control's side. False when the ring is full.
  func post(_ message: Message) -> Bool {
    let position = lbd_load_relaxed(head)
    guard position &- lbd_load_acquire(tail) < UInt64(Mailbox.capacity) else { return false }
    let word: UInt64
    switch message {
    case .snapshot(let view): word = UInt64(UInt(bitPattern: view))
    case .remember: word = Mailbox.rememberWord
    case .stop: word = Mailbox.stopWord
    }
    words[Int(position % UInt64(Mailbox.capacity))] = word
    lbd_store_release(head, position &+ 1)
    return true
  }

  /// The worker's side: true when there is something to take. One load of a line that seldom changes.
  @inline(__always)
  var hasMail: Bool { lbd_load_acquire(head) != lbd_load_relaxed(tail) }

  /// The worker's side.
  func take() -> Message? {
    let position = lbd_load_relaxed(tail)
    guard lbd_load_acquire(head) != position else { return nil }
    let word = words[Int(position % UInt64(Mailbox.capacity))]
    lbd_store_release(tail, position &+ 1)
    if word == Mailbox.stopWord { return .stop }
    if word == Mailbox.rememberWord { return .remember }
    guard let view = UnsafePointer<SnapshotView>(bitPattern: UInt(word)) else { return nil }
    return .snapshot(view)
  }

  /// The worker says which snapshot it uses: everything before it may be freed.
  func report(generation value: UInt64) { lbd_store_release(generation, value) }

  /// The worker has answered a `remember`.
  func reportMemory() { lbd_store_release(remembered, lbd_load_relaxed(remembered) &+ 1) }

  /// How often it has.
  var reportedMemories: UInt64 { lbd_load_acquire(remembered) }

  /// The snapshot the worker uses.
  var reportedGeneration: UInt64 { lbd_load_acquire(generation) }
}
