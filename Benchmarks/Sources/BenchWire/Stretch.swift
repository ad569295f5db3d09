/// One measured stretch of one forwarder.
struct Stretch {
  /// How long, in seconds.
  var seconds = 0.0
  /// Packets that reached the sink.
  var packets: UInt64 = 0
  /// CPU time of the forwarder.
  var nanoseconds: UInt64 = 0
  /// Packets sent by the generator.
  var offered: UInt64 = 0
  /// Bytes of the packets that reached the sink.
  var bytes: UInt64 = 0

  var mpps: Double { Double(packets) / seconds / 1e6 }
  /// CPU time per packet.
  var nanosecondsPerPacket: Double { Double(nanoseconds) / Double(max(packets, 1)) }
  /// Share of a core.
  var share: Double { Double(nanoseconds) / 1e9 / seconds }

  /// Floods a rig and looks at its sink for a while, once the first moments are over.
  /// - Parameter clock: CPU time of the forwarder, in nanoseconds; that of the generator for nil.
  static func measure(
    _ rig: Rig, load: Load, lengths: (warmUp: Double, window: Double), core: Int, clock: (() -> UInt64)?
  ) throws -> Stretch {
    let generator = try rig.generate(load, core: core)
    let used = clock ?? { generator.nanoseconds }
    try Waiting.sleep(seconds: lengths.warmUp)
    let start = Waiting.now()
    let (packets, nanoseconds, offered, bytes) = (rig.seen, used(), generator.sent, rig.seenBytes)
    try Waiting.sleep(seconds: lengths.window)
    let stretch = Stretch(
      seconds: Waiting.now() - start, packets: rig.seen &- packets, nanoseconds: used() &- nanoseconds,
      offered: generator.sent &- offered, bytes: rig.seenBytes &- bytes)
    try generator.stop()
    return stretch
  }
}
