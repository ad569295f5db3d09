import Synchronization

/// So many scripts at a time; the others wait, in order. Starting a thousand checks at once would starve all of them, and
/// what waits is bounded as well.
final class ScriptTurns: Sendable {
  /// What came of waiting.
  enum Answer: Hashable {
    /// It is its turn, until `giveBack`.
    case yours
    /// Too many wait.
    case full
    /// Nobody gets a turn any longer.
    case closed
    /// The task that waits has been cancelled.
    case cancelled
  }

  private struct State {
    var free: Int
    var waiting: [(ticket: UInt64, continuation: CheckedContinuation<Answer, Never>)] = []
    var nextTicket: UInt64 = 0
    var isClosed = false
  }

  private let state: Mutex<State>
  private let waitingMax: Int

  init(count: Int, waitingMax: Int) {
    state = Mutex(State(free: count))
    self.waitingMax = waitingMax
  }

  /// Waits for a turn.
  func take() async -> Answer {
    let ticket = state.withLock { state in
      state.nextTicket += 1
      return state.nextTicket
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer = state.withLock { state -> Answer? in
          // Cancelled before: the handler has run, or will find nobody.
          if Task.isCancelled { return .cancelled }
          if state.isClosed { return .closed }
          if state.free > 0 {
            state.free -= 1
            return .yours
          }
          if state.waiting.count >= waitingMax { return .full }
          state.waiting.append((ticket, continuation))
          return nil
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      let waiter = state.withLock { state in
        state.waiting.firstIndex { $0.ticket == ticket }.map { state.waiting.remove(at: $0).continuation }
      }
      waiter?.resume(returning: .cancelled)
    }
  }

  /// Ends a turn: it is the next one's.
  func giveBack() {
    let next = state.withLock { state -> CheckedContinuation<Answer, Never>? in
      if state.waiting.isEmpty {
        state.free += 1
        return nil
      }
      return state.waiting.removeFirst().continuation
    }
    next?.resume(returning: .yours)
  }

  /// Nobody gets a turn any longer, those that wait included.
  func close() {
    let waiting = state.withLock { state in
      state.isClosed = true
      defer { state.waiting = [] }
      return state.waiting
    }
    for waiter in waiting { waiter.continuation.resume(returning: .closed) }
  }

  /// How many wait.
  var waitingCount: Int { state.withLock { $0.waiting.count } }
}
