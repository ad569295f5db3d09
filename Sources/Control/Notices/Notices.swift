import Config
import Logging
import NIOCore
import Notify
import Scripts

/// Whoever is told of something, and whatever runs as a script: the notifier and the runner of scripts under one roof, by
/// the configuration that is in force.
final class Notices {
  /// Runs scripts of checks as well.
  let runner = ScriptRunner()
  private let notifier: Notifier
  private let loop: any EventLoop
  private let log: Logger

  /// How long what is on its way may take when lbd ends.
  private static let endLimit = TimeAmount.seconds(2)

  /// Tells nobody before `configure`.
  init(on loop: ControlLoop, log: Logger) {
    self.loop = loop.eventLoop
    self.log = log
    notifier = Notifier(on: loop.eventLoop, runner: ConfiguredScripts(runner: runner), log: log)
  }

  /// Another configuration is in force.
  func configure(_ globals: GlobalSettings) {
    runner.configure(ScriptRules(globals.scripts))
    notifier.configure(NotifierSettings(globals))
  }

  /// Tells whoever is to know; does not wait.
  func tell(_ notices: [Notice]) { notifier.tell(notices) }

  /// What has been told so far; waits for the loop.
  var numbers: NotifierNumbers { (try? notifier.numbers().wait()) ?? NotifierNumbers() }

  /// Runs `startup_script` or `shutdown_script`, and waits for it.
  func run(_ command: ScriptCommand?, named name: String, seconds: Int) {
    guard let command else { return }
    log.info("Running \(name) \(Script(command))")
    let result = try? loop.makeFutureWithTask { [runner] in
      await runner.run(Script(command), timeLimit: .seconds(seconds))
    }.wait()
    guard let result, !result.isSuccess else { return }
    log.warning("\(name) \(Script(command)): \(result)")
  }

  /// Ends: sends what can be sent at once, runs the last script, and waits until no script is left.
  func close(_ settings: ScriptSettings) {
    try? notifier.close(within: Notices.endLimit).wait()
    run(settings.shutdown, named: "shutdown_script", seconds: settings.shutdownTimeoutSeconds)
    try? loop.makeFutureWithTask { [runner] in await runner.stop(within: .zero) }.wait()
  }
}
