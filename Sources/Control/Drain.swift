import Dataplane

/// A server that takes no new connections, and has a `drain_timeout`: how long those that it has go on.
struct Drain: Hashable {
  /// When it was quiesced or removed.
  var startNanoseconds: UInt64
  /// When its connections end.
  var endNanoseconds: UInt64
  /// That has passed.
  var isOver: Bool

  /// nil for a server that takes connections, or whose connections go on without an end as in IPVS.
  init?(of server: VirtualServices.Server, atNanoseconds now: UInt64) {
    guard !server.isAvailable || server.spec.weight == 0, let seconds = server.spec.drainSeconds else { return nil }
    startNanoseconds = server.drain?.startNanoseconds ?? now
    endNanoseconds = startNanoseconds &+ UInt64(seconds) * 1_000_000_000
    isOver = now >= endNanoseconds
  }

  /// As workers see it.
  var state: Draining { isOver ? .over : .going }

  /// What is left, in seconds.
  func secondsLeft(atNanoseconds now: UInt64) -> UInt64 {
    now >= endNanoseconds ? 0 : (endNanoseconds - now + 999_999_999) / 1_000_000_000
  }

  /// For people.
  func text(atNanoseconds now: UInt64) -> String {
    let left = secondsLeft(atNanoseconds: now)
    return left == 0 ? "has drained: its connections end with their next packet" : "drains: \(left) s left"
  }
}

extension Dataplane {
  /// Makes the workers use what has become of services: one snapshot, and what it means for schedulers and counters.
  /// - Returns: what workers' memory has heard.
  @discardableResult
  func publish(
    _ description: SnapshotDescription, of services: inout VirtualServices, atNanoseconds now: UInt64? = nil
  ) -> VirtualServices.News {
    publish(description, atNanoseconds: now)
    let news = services.takeChanges()
    tell(news)
    services.restartCounters(counters)
    return news
  }
}
