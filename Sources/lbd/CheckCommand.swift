import ArgumentParser
import Config
import Control

/// `lbd check`: reads a configuration and says what is wrong with it.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Read a configuration and report what lbd would make of it.",
    discussion: """
      Findings go to standard error, one in each line: FILE:LINE:COLUMN: SEVERITY: WHAT (WHAT TO DO).

      Exit codes are those of keepalived -t: 0 the file is clean; 5 something was tolerated; 4 the file is refused, or \
      there is none. With --compat-exit-codes they are those of keepalived's manual: 0, 4 and 3.
      """)

  @Option(name: .shortAndLong, help: "The file, in the language of keepalived.conf (default: the usual place).")
  var config: String?

  @Argument(help: ArgumentHelp("The same as --config.", valueName: "file"))
  var file: String?

  private var path: String { config ?? file ?? "/etc/keepalived/keepalived.conf" }

  @Option(name: [.customShort("i"), .long], help: "What lines behind @WORD are for (default: this machine's name).")
  var configId: String?

  @Flag(help: "Print the effective configuration: every value, and where it comes from.")
  var explain = false

  @Flag(help: "Print one JSON object instead of lines.")
  var json = false

  @Flag(help: "End with the exit codes of keepalived's manual: 3 for a refused file, 4 for a tolerated one.")
  var compatExitCodes = false

  func validate() throws {
    if config != nil, file != nil { throw ValidationError("name one file, with --config or without") }
  }

  func run() throws {
    let verdict: ConfigurationVerdict
    do {
      let reading = try ConfigurationFile(path: path, configID: configId).read()
      verdict = ConfigurationVerdict(reading.worst)
      if json {
        printObject(verdict, reading)
      } else {
        for diagnostic in reading.diagnostics { printToStandardError("\(diagnostic)") }
        if explain { print(reading.explanation.text, terminator: "") }
        let configuration = reading.configuration
        let servers = configuration.services.reduce(0) { $0 + $1.realServers.count }
        let line =
          "\(path): \(verdict.rawValue); \(configuration.services.count) virtual services, \(servers) real servers"
        if explain { printToStandardError(line) } else { print(line) }
      }
    } catch {
      verdict = .refused
      if json {
        print("{\"file\":\(jsonString(path)),\"verdict\":\"refused\",\"error\":\(jsonString("\(error)"))}")
      } else {
        printToStandardError("lbd: \(error)")
      }
    }
    let code = verdict.exitCode(isCompatible: compatExitCodes)
    if code != 0 { throw ExitCode(code) }
  }

  private func printObject(_ verdict: ConfigurationVerdict, _ reading: ConfigurationReading) {
    let configuration = reading.configuration
    let servers = configuration.services.reduce(0) { $0 + $1.realServers.count }
    print("{\"file\":\(jsonString(path)),\"verdict\":\"\(verdict.rawValue)\"", terminator: "")
    print(",\"services\":\(configuration.services.count),\"realServers\":\(servers),\"findings\":[", terminator: "")
    print(reading.diagnostics.map { "\n" + $0.json }.joined(separator: ","), terminator: "]")
    if explain { print(",\"configuration\":\(reading.explanation.json)", terminator: "") }
    print("}")
  }
}
