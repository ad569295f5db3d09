import Synchronization

/// Where two threads meet, spinning: neither sleeps, so both leave within nanoseconds of each other.
final class Gate: Sendable {
  private let arrivals = Atomic<Int>(0)
  private let threads: Int

  /// For so many threads.
  init(threads: Int) { self.threads = threads }

  /// Waits until all have arrived.
  func pass() {
    let place = arrivals.add(1, ordering: .acquiringAndReleasing).oldValue
    let goal = (place / threads + 1) * threads
    while arrivals.load(ordering: .acquiring) < goal {}
  }
}
