import NIOCore

/// Runs checks on one event loop and tells what becomes of them.
///
///     let runner = CheckRunner(on: loop, seed: seed) { reports in … }
///     runner.update(to: checks)          // at the start, and with every new configuration
///     try await runner.stop().get()
///
/// Every method may be called from any thread; what is asked for happens on the loop, in the order it was asked for.
public final class CheckRunner: Sendable {
  private let loop: any EventLoop
  private let core: NIOLoopBoundBox<RunnerCore?>

  /// - Parameters:
  ///   - loop: where everything happens. Nothing on it should take long.
  ///   - seed: decides the random parts of first attempts.
  ///   - sources: asked in this order for the probe of a check.
  ///   - deliver: is given what has happened, in order; called on the loop, and should not take long.
  public init(
    on loop: any EventLoop, seed: UInt64, sources: [any ProbeSource] = [NetworkProbes()],
    deliver: @escaping @Sendable ([CheckReport]) -> Void
  ) {
    self.loop = loop
    core = NIOLoopBoundBox.makeEmptyBox(eventLoop: loop)
    loop.execute { [core] in
      core.value = RunnerCore(on: loop, seed: seed, sources: sources, deliver: deliver)
    }
  }

  /// Runs these checks, and no others. Those that ask the same of the same target as before go on with what they know;
  /// of those that are new the reports tell what they presume. Of several with one name the first is taken.
  public func update(to checks: [NamedCheck]) {
    loop.execute { [core] in core.value?.update(to: checks) }
  }

  /// Stops the checks of a service, as they are (`ha_suspend`); it need not be known yet.
  public func suspend(service: String) {
    loop.execute { [core] in core.value?.suspend(service: service) }
  }

  /// Lets them run again.
  public func resume(service: String) {
    loop.execute { [core] in core.value?.resume(service: service) }
  }

  /// Runs a check at once, or again after the attempt that is under way.
  /// - Returns: false when there is no such check, or it is suspended.
  public func checkNow(_ id: CheckID) -> EventLoopFuture<Bool> {
    loop.submit { [core] in core.value?.checkNow(id) ?? false }
  }

  /// Asks for a report of the first attempt that begins after `moment` (of CLOCK_MONOTONIC) and ends well, though it
  /// should change nothing.
  public func confirm(_ id: CheckID, sinceNanoseconds moment: UInt64) {
    loop.execute { [core] in core.value?.confirm(id, sinceNanoseconds: moment) }
  }

  /// What is known of every check, in the order they were given.
  public func statuses() -> EventLoopFuture<[CheckStatus]> {
    loop.submit { [core] in core.value?.statuses ?? [] }
  }

  /// Ends all attempts. Nothing is delivered any more when the future is complete.
  public func stop() -> EventLoopFuture<Void> {
    loop.submit { [core] in
      core.value?.stop()
      core.value = nil
    }
  }
}
