import ArgumentParser
import Control
import Glibc
import Kernel
import Lab

/// `lbd import`: prints the keepalived.conf that makes the services there are.
struct ImportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import", abstract: "Print the keepalived.conf that is equal to rules of ip_vs.",
    discussion: """
      From a file that `ipvsadm -Sn` has written, or from the kernel of this host as it runs now. The text goes to \
      standard output, remarks to standard error. What has no place in rules of ip_vs (health checks, VRRP, mail) is \
      yours to add.
      """)

  @Option(name: .customLong("from-ipvsadm-save"), help: "What `ipvsadm -Sn` printed; - is standard input.")
  var savedRules: String?

  @Flag(name: .customLong("from-running-ip_vs"), help: "The services of this host's kernel.")
  var isFromKernel = false

  func validate() throws {
    guard (savedRules != nil) != isFromKernel else {
      throw ValidationError("give either --from-ipvsadm-save FILE or --from-running-ip_vs")
    }
  }

  func run() throws {
    try reportingErrors {
      let rules = try savedRules.map(ImportCommand.rules(inFile:)) ?? RunningRules.read()
      for note in rules.notes { printToStandardError("lbd: \(note)") }
      print(rules.text, terminator: "")
    }
  }

  private static func rules(inFile path: String) throws -> ServiceImport {
    let isStandardInput = path == "-"
    let bytes = try TextInput.bytes(isStandardInput ? "/dev/stdin" : path)
    return try ServiceImport(ipvsadmSave: bytes, name: isStandardInput ? "standard input" : path)
  }
}

/// The services of this host's kernel.
private enum RunningRules {
  static let table = "/proc/net/ip_vs"

  /// By ipvsadm where it is the kernel's (its listing says more), else from the table.
  static func read() throws -> ServiceImport {
    guard access(table, R_OK) == 0 else {
      throw CommandFailure(
        "\(table): \(String(cString: strerror(errno))) (the kernel has no ip_vs here: load the module, or give"
          + " --from-ipvsadm-save FILE)")
    }
    if let program = Command.locate("ipvsadm"), try !isOurs(program) {
      let saved = try Command.check([program, "-Sn"])
      return try ServiceImport(ipvsadmSave: Array(saved.utf8), name: "`\(program) -Sn`")
    }
    printToStandardError(
      "lbd: read from \(table), which does not have thresholds, kinds of tunnel and flags of schedulers")
    return try ServiceImport(kernelTable: try TextInput.bytes(table), name: table)
  }

  /// lbd's own ipvsadm speaks to lbd, not to the kernel.
  private static func isOurs(_ program: String) throws -> Bool {
    try Command.run([program, "-h"]).output.contains("lbd")
  }
}
