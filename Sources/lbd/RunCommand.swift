import ArgumentParser
import Config
import Control
import Logging

/// `lbd run`: the director in the foreground.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run the director in the foreground.",
    discussion: """
      Takes the frames for the virtual services of FILE off the wire and forwards them. Tells systemd when it is ready
      (Type=notify). SIGTERM ends it, SIGHUP reads FILE again, SIGUSR1 writes the report. Without --config and without
      /etc/keepalived/keepalived.conf it starts empty, and is filled by ipvsadm.
      """)

  @Option(name: .shortAndLong, help: "Configuration, in the language of keepalived.conf.")
  var config: String?

  @Option(help: "How frames come: auto, xdp or packet (default: as FILE says, else auto).")
  var port: LbdSettings.PortKind?

  @Option(help: "An interface to use; may be given several times (default: those that VIPs and real servers are on).")
  var interface: [String] = []

  @Option(help: "Number of workers (default: one per queue and core).")
  var workers: Int?

  @Option(help: "Where SIGUSR1, and the end, leave services, connections and counters.")
  var report: String?

  @Option(help: "Where ipvsadm finds this lbd; none: nowhere (default: /run/lbd.sock).")
  var socket: String?

  @Option(help: "Keep the rules made with ipvsadm in this file, over restarts.")
  var state: String?

  func validate() throws {
    if state == "" || socket == "" { throw ValidationError("--socket and --state take a path") }
    if let workers, !(1...256).contains(workers) { throw ValidationError("--workers takes 1 to 256") }
  }

  func run() throws {
    LoggingSystem.bootstrap(StreamLogHandler.standardError)
    try reportingErrors {
      var options = Director.Options(
        configuration: ConfigurationFile(path: config ?? "/etc/keepalived/keepalived.conf"))
      options.needsConfiguration = config != nil
      options.socketPath = socket == "none" ? nil : socket ?? AdminRequest.defaultSocketPath
      options.needsSocket = socket != nil
      options.statePath = state
      options.port = port
      options.interfaces = interface
      options.workers = workers
      options.reportPath = report
      try Director(options, log: Logger(label: "lbd")).run()
    }
  }
}

extension LbdSettings.PortKind: ExpressibleByArgument {}
