import Glibc

/// What a lab needs of the machine, said in one line when it is missing.
enum Prerequisites {
  private static let packages = [
    "ip": "iproute2", "sysctl": "procps", "ethtool": "ethtool", "nginx": "nginx-light", "curl": "curl", "wrk": "wrk",
    "tcpdump": "tcpdump", "nft": "nftables", "tracepath": "iputils-tracepath",
  ]

  static let forNetwork = ["ip", "sysctl", "ethtool", "nginx"]
  static let forDemo = forNetwork + ["curl"]
  static let forTest = forDemo + ["wrk", "tcpdump", "tracepath"]

  /// Throws the first thing that is missing.
  static func check(tools: [String]) throws {
    guard geteuid() == 0 else { throw LabFailure("lbd lab needs root (network namespaces)") }
    if let tool = tools.first(where: { Command.locate($0) == nil }) {
      throw LabFailure("needs \(tool): \(remedy(tool))")
    }
  }

  /// How a tool is come by.
  static func remedy(_ tool: String) -> String { "apt-get install \(packages[tool] ?? tool)" }
}
