import Glibc
import HealthCheck
import NIOCore
import Scripts

/// Makes probes of MISC_CHECK: the check's engine knows no processes.
struct ScriptProbes: ProbeSource {
  let runner: ScriptRunner

  func probe(for check: NamedCheck, on loop: any EventLoop) -> (any Probe)? {
    guard case .script(let definition) = check.definition.kind else { return nil }
    return ScriptProbe(definition, on: loop, runner: runner)
  }
}

/// Runs one check's script.
final class ScriptProbe: Probe {
  private let definition: ScriptDefinition
  private let loop: any EventLoop
  private let runner: ScriptRunner
  private var attempt: (number: UInt64, task: Task<Void, Never>, done: (AttemptResult) -> Void)?
  private var number: UInt64 = 0

  init(_ definition: ScriptDefinition, on loop: any EventLoop, runner: ScriptRunner) {
    self.definition = definition
    self.loop = loop
    self.runner = runner
  }

  func begin(page: Int, then done: @escaping (AttemptResult) -> Void) {
    number &+= 1
    let probe = NIOLoopBound(self, eventLoop: loop)
    let task = Task { [loop, runner, definition, number] in
      let script = Script(words: definition.words, user: definition.user, group: definition.group)
      let result = await runner.run(script, timeLimit: definition.timeout)
      loop.execute { probe.value.end(number, result) }
    }
    attempt = (number, task, done)
  }

  func cancel() {
    attempt?.task.cancel()
    attempt = nil
  }

  private func end(_ number: UInt64, _ result: ScriptResult) {
    guard let attempt, attempt.number == number else { return }
    self.attempt = nil
    attempt.done(ScriptProbe.verdict(result, isDynamic: definition.isDynamic))
  }

  /// What a script's end says of the server. With `misc_dynamic` a status from 2 on is a weight, 2 more than it.
  static func verdict(_ result: ScriptResult, isDynamic: Bool) -> AttemptResult {
    switch result {
    case .exited(0): .well()
    case .exited(let status) where isDynamic && status >= 2: .well(.replace(Int(status) - 2))
    case .exited(let status): .failed(.exited(Int(status)))
    case .signalled(let signal): .failed(.signalled(Int(signal)))
    case .timedOut: .failed(.scriptTimeout)
    case .stopped: .notRun(.definition("lbd ends"))
    // That this host has no room for it says nothing of the server. That there is no such script does: keepalived leaves
    // such a check out, and the server counts as up for good.
    case .cannotStart(let failure):
      failure.isForNow ? .notRun(.definition("\(failure)")) : .failed(.definition("\(failure)"))
    }
  }
}

extension ScriptFailure {
  /// It may well run next time.
  fileprivate var isForNow: Bool {
    guard let number else { return false }
    return [EAGAIN, ENOMEM, EMFILE, ENFILE, ETXTBSY, EINTR].contains(number)
  }
}
