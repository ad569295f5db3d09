import NIOCore

/// Makes the attempts of one check. Everything happens on the event loop it was made for.
public protocol Probe: AnyObject {
  /// Begins an attempt; never called while one is under way.
  ///
  /// `done` is called exactly once, at once or later, unless `cancel` comes before. A probe has its own limits of time:
  /// nobody else ends an attempt that takes long. Those that follow something that changes (a file, a session) answer
  /// the first attempt, and the first one after `cancel`, at once, any other when there is news.
  /// - Parameter page: which page of an HTTP check; 0 for other kinds.
  func begin(page: Int, then done: @escaping (AttemptResult) -> Void)

  /// Ends the attempt under way, if there is one, without a result, and lets go of what it holds.
  func cancel()
}

/// Makes probes for some kinds of checks: this module's own for those that ask the network, others for scripts and
/// sessions.
public protocol ProbeSource: Sendable {
  /// A probe for `check` that works on `loop`; nil when this source does not know its kind. Called on the loop.
  func probe(for check: NamedCheck, on loop: any EventLoop) -> (any Probe)?

  /// A new configuration: what was read from files should be read again when it is next needed.
  func configurationChanged()
}

extension ProbeSource {
  /// Nothing is kept.
  public func configurationChanged() {}
}

/// Stands for a check that nobody can run.
final class NoProbe: Probe {
  private let reason: String

  init(_ reason: String) {
    self.reason = reason
  }

  func begin(page: Int, then done: @escaping (AttemptResult) -> Void) {
    done(.notRun(.definition(reason)))
  }

  func cancel() {}
}
