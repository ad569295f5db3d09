import NIOCore
import NIOPosix
import Wire

@testable import HealthCheck

/// A probe on a loop of its own, for tests: one attempt after the other.
final class Attempts: Sendable {
  private let loop: any EventLoop
  private let box: NIOLoopBoundBox<(any Probe)?>

  /// - Parameter make: makes the probe, on the loop.
  init(_ make: @escaping @Sendable (any EventLoop) -> (any Probe)?) {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    self.loop = loop
    box = NIOLoopBoundBox.makeEmptyBox(eventLoop: loop)
    loop.execute { [box] in box.value = make(loop) }
  }

  /// The probe that checks have.
  convenience init(_ definition: CheckDefinition, of source: NetworkProbes = NetworkProbes()) {
    self.init { loop in source.probe(for: NamedCheck(id: Samples.id(), definition: definition), on: loop) }
  }

  /// One attempt; waits for its end.
  func next(page: Int = 0) async -> AttemptResult {
    await withCheckedContinuation { continuation in
      loop.execute { [box] in
        guard let probe = box.value else {
          return continuation.resume(returning: .notRun(.definition("there is no probe")))
        }
        probe.begin(page: page) { continuation.resume(returning: $0) }
      }
    }
  }

  /// Begins an attempt, and cancels it before it can end.
  func beginAndCancel() async throws {
    try await loop.submit { [box] in
      box.value?.begin(page: 0) { _ in }
      box.value?.cancel()
    }.get()
  }

  func cancel() async throws {
    try await loop.submit { [box] in box.value?.cancel() }.get()
  }

  /// One attempt of a new probe.
  static func one(
    _ kind: CheckKind, at endpoint: Endpoint, within timeout: Duration = .seconds(10)
  ) async
    -> AttemptResult
  {
    await Attempts(Samples.definition(kind, at: endpoint) { $0.connectTimeout = timeout }).next()
  }
}
