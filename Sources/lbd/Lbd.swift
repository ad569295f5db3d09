import ArgumentParser

/// `lbd`: the subcommands; each is a file of its own.
@main
struct Lbd: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "lbd",
    abstract: "An L4 load balancer and keepalived in one program, over XDP: LVS without ip_vs.",
    subcommands: [
      RunCommand.self, ReloadCommand.self, CheckCommand.self, ImportCommand.self, KeywordsCommand.self, WhyCommand.self,
      TopCommand.self,
      ReplayCommand.self, BenchCommand.self, LabCommand.self, RealServerCommand.self,
    ])
}
