import ArgumentParser
import Config
import Control
import Glibc

/// `lbd reload`: a running lbd reads its configuration again.
struct ReloadCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reload",
    abstract: "Let a running lbd read its configuration again, or say what that would do.",
    discussion: """
      Only what the file says otherwise than before is changed; everything else, and what ipvsadm has made, is left alone. \
      A file with an error is refused whole, and the old configuration stays in force.

        lbd reload
        lbd reload --dry-run [FILE]
        lbd reload --dry-run --reset | ipvsadm -R

      Exit codes: 0 it is done (or would be); 4 the file is refused; 1 no lbd answers; 255 permission denied.
      """)

  @Argument(help: "With --dry-run: another file than the one lbd runs with.")
  var file: String?

  @Flag(help: "Change nothing: print what would be done, as lines for ipvsadm -R.")
  var dryRun = false

  @Flag(help: "Leave nothing but what the file says, whatever ipvsadm has done since.")
  var reset = false

  @Option(help: "Where lbd listens (default: LBD_SOCKET, or /run/lbd.sock).")
  var socket: String?

  func validate() throws {
    guard file == nil || dryRun else { throw ValidationError("FILE goes with --dry-run") }
  }

  func run() throws {
    try reportingErrors {
      var question = ReloadQuestion()
      question.isDryRun = dryRun
      question.isWhole = reset
      question.path = file.map(ReloadCommand.absolute)
      let answer = try AdminClient.ask(
        .reload(question), at: socket ?? AdminClient.defaultPath, patienceSeconds: 120)
      print(String(decoding: answer.output, as: UTF8.self), terminator: "")
      if !answer.error.isEmpty {
        printToStandardError(String(String(decoding: answer.error, as: UTF8.self).dropLast()))
      }
      if answer.exitCode != 0 { throw ExitCode(answer.exitCode) }
    }
  }

  /// lbd runs in a folder of its own.
  private static func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
    defer { free(folder) }
    return String(cString: folder) + "/" + path
  }
}
