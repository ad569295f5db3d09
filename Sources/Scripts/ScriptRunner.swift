import Glibc
import Synchronization

/// Runs the programs that a configuration names: checks by script, notifications, companions of a pipe.
///
/// Bounded in number, in time where a limit is given, and never in anybody's way: whoever wants a result awaits it. What is
/// looked at before each start (is it there, may others change it) is looked at each time, for files change without a reload;
/// users and groups are looked up once per configuration, for that may ask a server.
public final class ScriptRunner: Sendable {
  /// How many scripts there may be.
  public struct Limits: Hashable, Sendable {
    /// At a time, companions (which have no limit of time) not counted.
    public var runningMax = 64
    /// That wait for one of these to end.
    public var waitingMax = 1024

    /// The defaults.
    public init() {}
  }

  private typealias Feed = AsyncStream<ScriptRun.Event>.Continuation

  private struct State {
    var rules = ScriptRules()
    var accounts: [AccountKey: ScriptAccount] = [:]
    var running: [UInt64: (feed: Feed, isCompanion: Bool)] = [:]
    var nextNumber: UInt64 = 0
    var isStopping = false
    var idleWaiters: [CheckedContinuation<Void, Never>] = []
  }

  private struct AccountKey: Hashable {
    let user: String?
    let group: String?
  }

  private let state = Mutex(State())
  private let turns: ScriptTurns
  private let clock: any Clock<Duration>
  private let searchPath: String

  /// A runner of no rules, until `configure`.
  /// - Parameter clock: what limits of time are measured by.
  public init(limits: Limits = Limits(), clock: any Clock<Duration> = ContinuousClock()) {
    turns = ScriptTurns(count: max(1, limits.runningMax), waitingMax: max(0, limits.waitingMax))
    self.clock = clock
    searchPath = getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin"
    Processors.freeScripts()
  }

  /// Takes over another configuration; what runs goes on as it was started.
  public func configure(_ rules: ScriptRules) {
    state.withLock { state in
      state.rules = rules
      state.accounts = [:]
    }
  }

  /// Looks at a script without running it, for what a configuration's reader should know at once.
  /// - Returns: what makes it unsafe although it will run; nil when there is nothing to say.
  /// - Throws: why it would not run.
  @discardableResult public func examine(_ script: Script) throws(ScriptFailure) -> String? {
    let rules = state.withLock { $0.rules }
    let path = try ScriptFile.locate(script, searchPath: searchPath)
    return try unsafety(of: path, script, try account(of: script, rules), rules)
  }

  /// Runs a script and waits for its end.
  /// - Parameters:
  ///   - environment: what it has besides this process's own.
  ///   - timeLimit: how long it may take once it has been started; nil is a companion, which may run as long as lbd does.
  /// - Returns: what has become of it; when the calling task is cancelled, `.stopped`, as soon as the script has ended.
  public func run(_ script: Script, environment: [String: String] = [:], timeLimit: Duration?) async -> ScriptResult {
    if timeLimit != nil {
      switch await turns.take() {
      case .yours: break
      case .full:
        return .cannotStart(
          ScriptFailure("run \(script)", "too many scripts wait for their turn", remedy: "see why the others take long")
        )
      case .closed, .cancelled: return .stopped
      }
    }
    defer { if timeLimit != nil { turns.giveBack() } }
    let rules = state.withLock { $0.rules }
    let path: String
    let account: ScriptAccount
    do throws(ScriptFailure) {
      path = try ScriptFile.locate(script, searchPath: searchPath)
      account = try self.account(of: script, rules)
      _ = try unsafety(of: path, script, account, rules)
    } catch {
      return .cannotStart(error)
    }
    let (events, feed) = AsyncStream.makeStream(of: ScriptRun.Event.self)
    guard let number = enter(feed, isCompanion: timeLimit == nil) else { return .stopped }
    defer { leave(number) }
    let run = ScriptRun(
      script: script, path: path, account: account, environment: environment, timeLimit: timeLimit, clock: clock,
      events: events, feed: feed)
    return await withTaskCancellationHandler {
      await Task { await run.perform() }.value
    } onCancel: {
      feed.yield(.stop)
    }
  }

  /// Ends: starts nothing more, ends companions at once and other scripts after a time, and returns when none is left.
  /// - Parameter time: what scripts may take until then; ending them takes up to 2 s more.
  public func stop(within time: Duration) async {
    turns.close()
    let companions = state.withLock { state in
      state.isStopping = true
      return state.running.values.filter(\.isCompanion).map(\.feed)
    }
    for feed in companions { feed.yield(.stop) }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { [self] in
        do { try await clock.sleep(for: time) } catch { return }
        for feed in state.withLock({ $0.running.values.map(\.feed) }) { feed.yield(.stop) }
      }
      await idle()
      group.cancelAll()
    }
  }

  /// How many run, companions included.
  public var runningCount: Int { state.withLock { $0.running.count } }

  /// How many wait for their turn.
  var waitingCount: Int { turns.waitingCount }

  private func account(of script: Script, _ rules: ScriptRules) throws(ScriptFailure) -> ScriptAccount {
    let key = AccountKey(user: script.user, group: script.group)
    if let known = state.withLock({ $0.accounts[key] }) { return known }
    let account = try ScriptAccount.account(of: script, rules: rules)
    state.withLock { state in
      if state.rules == rules { state.accounts[key] = account }
    }
    return account
  }

  /// - Returns: what makes it unsafe, where the rules let it run nevertheless.
  private func unsafety(
    of path: String, _ script: Script, _ account: ScriptAccount, _ rules: ScriptRules
  )
    throws(ScriptFailure) -> String?
  {
    guard account.userID == 0 else { return nil }
    do {
      guard let weakness = try ScriptSecurity.weakness(of: path) else { return nil }
      let reason = "it would run as root, but \(weakness.path) \(weakness.reason)"
      if rules.isSecure {
        throw ScriptFailure("run \(script)", reason, remedy: "\(weakness.remedy), or let another user run it")
      }
      return "\(script): it runs as root, but \(weakness.path) \(weakness.reason) "
        + "(\(weakness.remedy), or let another user run it; with enable_script_security it would not run)"
    } catch let error as ScriptSecurity.Errno {
      throw ScriptFailure("look at the folders of \(path)", errno: error.number, remedy: "check the path \(path)")
    } catch {
      throw error as? ScriptFailure ?? ScriptFailure("run \(script)", "\(error)", remedy: "check the path \(path)")
    }
  }

  private func enter(_ feed: Feed, isCompanion: Bool) -> UInt64? {
    state.withLock { state in
      guard !state.isStopping else { return nil }
      state.nextNumber += 1
      state.running[state.nextNumber] = (feed, isCompanion)
      return state.nextNumber
    }
  }

  private func leave(_ number: UInt64) {
    let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
      state.running[number] = nil
      guard state.running.isEmpty else { return [] }
      defer { state.idleWaiters = [] }
      return state.idleWaiters
    }
    for waiter in waiters { waiter.resume() }
  }

  private func idle() async {
    await withCheckedContinuation { continuation in
      let isIdle = state.withLock { state in
        if !state.running.isEmpty { state.idleWaiters.append(continuation) }
        return state.running.isEmpty
      }
      if isIdle { continuation.resume() }
    }
  }
}
