import ArgumentParser
import Config
import Control
import Glibc

/// `lbd keepalived …`, and this program under the name keepalived.
struct KeepalivedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keepalived",
    abstract: "Run in keepalived's place, with its options; `lbd keepalived --help` lists them.",
    discussion: "The same as this program when it is called keepalived.")

  @Argument(parsing: .captureForPassthrough, help: "keepalived's options.")
  var words: [String] = []

  func run() throws {
    throw ExitCode(KeepalivedCommand.run(words, name: "keepalived"))
  }

  /// The words that are keepalived's, or nil when this is not its part.
  static func words(of arguments: [String]) -> [String]? {
    let name = arguments.first?.split(separator: "/").last
    if name == "keepalived" { return Array(arguments.dropFirst()) }
    return arguments.count > 1 && arguments[1] == "keepalived" ? Array(arguments.dropFirst(2)) : nil
  }

  /// Does what the words say.
  /// - Returns: what to end with.
  static func run(_ words: [String], name: String) -> Int32 {
    let commandLine = KeepalivedCommandLine(words)
    for complaint in commandLine.complaints { printToStandardError(complaint) }
    switch commandLine.task {
    case .version:
      printToStandardError(KeepalivedUsage.versionText, terminator: "")
      return 0
    case .help:
      printToStandardError(KeepalivedUsage.text, terminator: "")
      return 0
    case .signalNumber(let signal):
      guard let number = KeepalivedSignals.number(signal) else {
        printToStandardError("Unknown sigfunc \(signal)")
        return 1
      }
      print(number)
      return 0
    case .genhash:
      GenhashCommand.main(commandLine.behindGenhash)
      return 0
    case .run, .test: break
    }
    if !commandLine.leftOver.isEmpty {
      printLine("Unexpected argument(s): \(commandLine.leftOver.joined(separator: " ")) ", to: STDOUT_FILENO)
    }
    guard commandLine.isValid else { return 1 }
    if case .test(let logFile) = commandLine.task { return test(commandLine, logFile) }
    return KeepalivedStart.run(commandLine, words: [name] + words).rawValue
  }

  /// The codes are those of `lbd check`.
  private static func test(_ commandLine: KeepalivedCommandLine, _ logFile: String?) -> Int32 {
    var output = STDERR_FILENO
    if let logFile {
      output = open(logFile, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o600)
      guard output >= 0 else {
        let reason = String(cString: strerror(errno))
        printToStandardError("Unable to open config-test log file \(logFile) \(errno) - \(reason)")
        return 1
      }
    }
    do {
      let reading = try ConfigurationFile(
        path: commandLine.path, configID: commandLine.configID, needsAllFiles: commandLine.needsAllFiles
      ).read()
      for diagnostic in reading.diagnostics { printLine("\(diagnostic)", to: output) }
      let missing = missingInterfaces(reading.configuration)
      for line in missing { printLine(line, to: output) }
      let verdict = ConfigurationVerdict(reading.worst)
      return (verdict == .clean && !missing.isEmpty ? .tolerated : verdict).exitCode(isCompatible: false)
    } catch {
      printLine("\(error)", to: output)
      return ConfigurationVerdict.refused.exitCode(isCompatible: false)
    }
  }

  /// What keepalived looks for on the host when it checks a file. `lbd check` does not: it is for any machine.
  private static func missingInterfaces(_ configuration: Configuration) -> [String] {
    configuration.vrrp.instances.compactMap { instance in
      guard let name = instance.interface, if_nametoindex(name) == 0 else { return nil }
      return "\(instance.position): warning: interface \(name) of vrrp_instance \(instance.name) is not on this host"
    }
  }
}
