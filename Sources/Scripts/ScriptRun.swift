import Glibc
import Subprocess

/// One program, from its start to its end.
///
/// It leads a session of its own, so that it and all it starts can be ended together: SIGTERM to the group, SIGKILL 2 s later
/// to what is left of it. When the program itself goes by SIGTERM, whatever it leaves behind gets SIGKILL at once. Until that
/// last signal the program is not reaped: its number, which is the group's as well, cannot have become another's.
///
/// It starts in /, with signals as they are by default, /dev/null for input and output, no other descriptor, and this process's
/// environment but for what systemd says to the daemon alone.
struct ScriptRun: Sendable {
  /// What happens to it.
  enum Event: Sendable {
    /// The program is no more.
    case ended
    /// Its time is up.
    case limit
    /// It is not wanted any longer.
    case stop
    /// It has had its time to end by itself.
    case grace
  }

  /// Between SIGTERM and SIGKILL.
  static let grace = Duration.seconds(2)
  /// The execution's type, as all of them have no input and no output.
  private typealias Running = Execution<NoInput, DiscardedOutput, DiscardedOutput>

  let script: Script
  let path: String
  let account: ScriptAccount
  let environment: [String: String]
  let timeLimit: Duration?
  let clock: any Clock<Duration>
  let events: AsyncStream<Event>
  let feed: AsyncStream<Event>.Continuation

  /// Runs it. To be called once, by a task that is not cancelled: `.stop` ends it.
  func perform() async -> ScriptResult {
    do {
      let outcome = try await run(
        configuration, input: .none, output: .discarded, error: .discarded, body: { await watch($0) })
      if let end = outcome.closureResult { return end }
      switch outcome.terminationStatus {
      case .exited(let status): return .exited(status: status)
      case .signaled(let number): return .signalled(number)
      }
    } catch {
      return .cannotStart(failure(error as? SubprocessError))
    }
  }

  private var configuration: Configuration {
    var options = PlatformOptions()
    options.createSession = true
    if account.isForeign {
      options.userID = account.userID
      options.groupID = account.groupID
      options.supplementaryGroups = [account.groupID]
    }
    var changes: [Environment.Key: String?] = [
      "NOTIFY_SOCKET": nil, "WATCHDOG_PID": nil, "WATCHDOG_USEC": nil, "LISTEN_PID": nil, "LISTEN_FDS": nil,
    ]
    for (name, value) in environment {
      if let key = Environment.Key(rawValue: name) { changes[key] = value }
    }
    return Configuration(
      executable: .path(.init(path)), arguments: Arguments(Array(script.words.dropFirst())),
      environment: .inherit.updating(changes), workingDirectory: "/", platformOptions: options)
  }

  /// Waits until the program has ended, and sees to it that it does.
  /// - Returns: why it was ended; nil when it has ended by itself.
  private func watch(_ execution: Running) async -> ScriptResult? {
    await withTaskGroup(of: Void.self) { group in
      let groupID = execution.processIdentifier.value
      group.addTask {
        await ScriptRun.end(of: execution)
        feed.yield(.ended)
      }
      if let timeLimit { alarm(.limit, after: timeLimit, &group) }
      var reason: ScriptResult?
      loop: for await event in events {
        switch event {
        case .ended: break loop
        case .limit, .stop:
          guard reason == nil else { continue }
          reason = event == .limit ? .timedOut : .stopped
          kill(-groupID, SIGTERM)
          alarm(.grace, after: ScriptRun.grace, &group)
        case .grace:
          kill(-groupID, SIGKILL)
        }
      }
      if reason != nil { kill(-groupID, SIGKILL) }
      group.cancelAll()
      return reason
    }
  }

  private func alarm(_ event: Event, after time: Duration, _ group: inout TaskGroup<Void>) {
    group.addTask {
      do { try await clock.sleep(for: time) } catch { return }
      feed.yield(event)
    }
  }

  /// Returns when the program has ended, before it is reaped. Subprocess has no call for just that, but one that ends a
  /// program step by step and returns as soon as it has ended: here the only step is signal 0, which is none, and a
  /// century's patience.
  private static func end(of execution: Running) async {
    let century = Duration.seconds(100 * 365 * 86400)
    await execution.teardown(using: [
      .send(signal: Signal(rawValue: 0), toProcessGroup: false, allowedDurationToNextStep: century)
    ])
  }

  private func failure(_ error: SubprocessError?) -> ScriptFailure {
    let step = "run \(script)"
    guard let error, error.code != .executableNotFound else {
      return ScriptFile.explanation(script, path: path, account: account)
    }
    guard let number = error.underlyingError?.rawValue else {
      return ScriptFailure(step, "\(error)", remedy: "see the limits of processes and open files")
    }
    let remedy =
      switch number {
      case EPERM: "becoming \(account.name) needs CAP_SETUID and CAP_SETGID, or root"
      case ENOEXEC: "it is no program; a script begins with a line like #!/bin/sh"
      case ETXTBSY: "somebody has it open for writing; it is tried again next time"
      case E2BIG: "its arguments or the environment are too long"
      case EAGAIN, ENOMEM: "there are too many processes, or too little memory"
      default: "see the limits of processes and open files"
      }
    return ScriptFailure(step, errno: number, remedy: remedy)
  }
}
