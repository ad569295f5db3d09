import ArgumentParser
import Glibc

/// `lbd`: the subcommands; each is a file of its own.
struct Lbd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lbd",
    abstract: "An L4 load balancer and keepalived in one program, over XDP: LVS without ip_vs.",
    subcommands: [
      RunCommand.self, KeepalivedCommand.self, ReloadCommand.self, CheckCommand.self, ImportCommand.self,
      KeywordsCommand.self, GenhashCommand.self, WhyCommand.self, TopCommand.self, ReplayCommand.self,
      BenchCommand.self, LabCommand.self,
      RealServerCommand.self,
    ])
}

/// The program. Under the names keepalived and genhash it is what they are.
@main
enum Program {
  static func main() {
    if let words = KeepalivedCommand.words(of: CommandLine.arguments) {
      exit(KeepalivedCommand.run(words, name: "keepalived"))
    }
    if let words = GenhashCommand.words(of: CommandLine.arguments) { return GenhashCommand.main(words) }
    Lbd.main()
  }
}
