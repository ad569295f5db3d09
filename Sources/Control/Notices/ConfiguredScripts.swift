import Config
import NIOCore
import Notify
import Scripts

// Scripts as the configuration, the notifier and the runner each name them. What differs is only who knows whom.

/// Runs the notifier's scripts.
struct ConfiguredScripts: ScriptRunning {
  let runner: ScriptRunner

  func run(_ script: NotifyScript, timeLimit: TimeAmount?) async -> ScriptEnd {
    let script = Script(words: script.words, user: script.user, group: script.group)
    let result = await runner.run(script, timeLimit: timeLimit.map { .nanoseconds($0.nanoseconds) })
    return switch result {
    case .exited(0), .stopped: .good
    case .cannotStart(let failure): .notStarted("\(failure)")
    case .exited, .signalled, .timedOut: .bad("\(result)")
    }
  }
}

extension Script {
  init(_ command: ScriptCommand) {
    self.init(words: command.words, user: command.user, group: command.group)
  }
}

extension ScriptRules {
  init(_ settings: ScriptSettings) {
    self.init(user: settings.user, group: settings.group, isSecure: settings.isSecure)
  }
}

extension NotifyScript {
  init(_ command: ScriptCommand) {
    self.init(words: command.words, user: command.user, group: command.group)
  }
}
