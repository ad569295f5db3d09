import NIOCore
import Synchronization

@testable import Notify

/// Runs no scripts: they last until a test ends them, or until their task is cancelled.
final class StageRunner: ScriptRunning {
  private struct State {
    var scripts: [NotifyScript] = []
    var limits: [TimeAmount?] = []
    var running: [Int: CheckedContinuation<ScriptEnd, Never>] = [:]
    var ends: [Int: ScriptEnd] = [:]
    var cancelled: [Int] = []
  }

  private let state = Mutex(State())
  private let isStubborn: Bool
  private let isQuick: Bool

  /// - Parameters:
  ///   - isStubborn: cancelling a task ends no script.
  ///   - isQuick: every script ends well at once.
  init(isStubborn: Bool = false, isQuick: Bool = false) {
    (self.isStubborn, self.isQuick) = (isStubborn, isQuick)
  }

  func run(_ script: NotifyScript, timeLimit: TimeAmount?) async -> ScriptEnd {
    let number = state.withLock { state in
      state.scripts.append(script)
      state.limits.append(timeLimit)
      return state.scripts.count - 1
    }
    if isQuick { return .good }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let end = state.withLock { state in
          if state.ends[number] == nil { state.running[number] = continuation }
          return state.ends[number]
        }
        if let end { continuation.resume(returning: end) }
      }
    } onCancel: {
      state.withLock { $0.cancelled.append(number) }
      if !isStubborn { finish(number) }
    }
  }

  /// Ends the script that was started as this one; what has ended stays so.
  func finish(_ number: Int, _ end: ScriptEnd = .good) {
    let continuation = state.withLock { state in
      if state.ends[number] == nil { state.ends[number] = end }
      return state.running.removeValue(forKey: number)
    }
    continuation?.resume(returning: end)
  }

  /// The words of all that have been started, once there are so many.
  func words(_ count: Int) async throws -> [[String]] {
    while state.withLock({ $0.scripts.count < count }) { try await Task.sleep(for: .milliseconds(2)) }
    return state.withLock { $0.scripts.map(\.words) }
  }

  /// The limits of time of all that have been started.
  var limits: [TimeAmount?] { state.withLock { $0.limits } }

  /// Those whose task has been cancelled.
  var cancelled: [Int] { state.withLock { $0.cancelled } }
}
