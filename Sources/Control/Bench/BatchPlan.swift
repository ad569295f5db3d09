/// In which batches a capture's frames are sent.
///
/// A turn takes each interface's frames in one go. With a capture of both sides at full speed, a request that opens a
/// connection and the answer to it would often meet in one batch, and the answer might be looked at first, which no
/// network does: there a round trip lies between them. So, from a frame that opens a connection on, a batch takes no
/// frames of other interfaces; they wait for the next one. The order within each interface is kept.
struct BatchPlan {
  /// Numbers of frames in the order they are sent.
  private(set) var order: [UInt32] = []
  /// By batch: where in `order` it ends.
  private(set) var ends: [Int] = []

  private let frames: [LoadedCapture.Frame]
  private let capacity: Int
  private var held: [UInt32] = []
  private var next = 0

  /// - Parameter capacity: frames in a batch at most.
  init(_ frames: [LoadedCapture.Frame], capacity: Int) {
    self.frames = frames
    self.capacity = capacity
    order.reserveCapacity(frames.count)
    ends.reserveCapacity(frames.count / capacity + 1)
    while next < frames.count || !held.isEmpty { addBatch() }
  }

  /// What the batch being put together will not take any more, as sets of interfaces.
  private struct Rule {
    private var openers: UInt32 = 0
    private var waiting: UInt32 = 0

    mutating func takes(_ frame: LoadedCapture.Frame) -> Bool {
      let own = UInt32(1) << UInt32(frame.interface)
      let hasToWait = waiting & own != 0 || openers & ~own != 0
      if hasToWait { waiting |= own }
      // Also one that waits: what comes after it must not overtake it.
      if frame.isOpener { openers |= own }
      return !hasToWait
    }
  }

  private mutating func addBatch() {
    let start = order.count
    var rule = Rule()
    var waiting: [UInt32] = []
    var position = 0
    while position < held.count, order.count - start < capacity {
      let number = held[position]
      position += 1
      if rule.takes(frames[Int(number)]) { order.append(number) } else { waiting.append(number) }
    }
    waiting += held[position...]
    // A side that has to wait long is better served by a short batch.
    while next < frames.count, order.count - start < capacity, waiting.count < 2 * capacity {
      if rule.takes(frames[next]) { order.append(UInt32(next)) } else { waiting.append(UInt32(next)) }
      next += 1
    }
    held = waiting
    ends.append(order.count)
  }
}
