import ArgumentParser
import Config
import Control

/// `lbd check`: reads a configuration and says what is wrong with it.
struct CheckCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Read a configuration and report what lbd would make of it.",
    discussion: "Exit code 0 when `lbd run` would accept the file, 1 when it would refuse it.")

  @Option(name: .shortAndLong, help: "The file, in the language of keepalived.conf.")
  var config = "/etc/keepalived/keepalived.conf"

  func run() throws {
    try reportingErrors {
      let configuration = try ConfigurationFile(path: config).load { printToStandardError("\($0)") }
      let servers = configuration.services.reduce(0) { $0 + $1.realServers.count }
      print("\(config): \(configuration.services.count) virtual services, \(servers) real servers")
    }
  }
}
