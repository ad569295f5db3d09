/// Something that frames in memory go through: lbd, the reference, the plain loop.
protocol Engine: AnyObject {
  /// Queues a frame as arrived by `interface`; false when there is no room.
  func offer(_ bytes: UnsafeRawBufferPointer, interface: Int) -> Bool
  /// Takes up to 64 offered frames at the system's clock. Returns how many.
  @discardableResult func turnNow() -> Int
  /// The same at a given time.
  @discardableResult func turn(atNanoseconds now: UInt64) -> Int
  /// Lets the expiry hand go once around.
  func sweep(atNanoseconds now: UInt64)
  /// Frames by outcome so far, in the order of lbd's `Outcome`.
  func outcomes() -> [UInt64]
  /// Active and inactive connections, over all servers.
  func connections() -> (active: Int, inactive: Int)
  /// Connections that have timed out.
  func expired() -> UInt64
  /// Calls `body` with what the last batch sent, by the frame's place in it.
  func forEachSent(_ body: (_ index: Int, _ interface: Int, _ bytes: UnsafeRawBufferPointer) -> Void)
}

/// Frames of every engine's memory, and their stride: 8 MiB.
enum Frames {
  /// Frames in memory; a round fills all of them.
  static let count = 4096
  /// From one frame's start to the next one's.
  static let stride = 2048
  /// Frames of a turn.
  static let batch = 64
}
