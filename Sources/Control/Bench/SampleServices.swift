/// Services to generate a capture for, where the user has none to give.
public enum SampleServices: String, CaseIterable, Sendable {
  case all
  case dr
  case nat
  case tun
  case fullnat

  /// The configuration file.
  public var text: String {
    let methods = SampleServices.methods.filter { self == .all || $0.name == self }
    let services = methods.flatMap { method in
      [
        service("10.200.0.\(method.number)", 80, "TCP", method, servers: "10.201.0."),
        service("10.200.0.\(method.number)", 53, "UDP", method, servers: "10.201.0."),
        service("fd00:200::\(method.number)", 80, "TCP", method, servers: "fd00:201::"),
        service("fd00:200::\(method.number)", 53, "UDP", method, servers: "fd00:201::"),
      ]
    }
    let local = "local_address_group local {\n    10.201.0.200-203\n    fd00:201::200-203\n}\n\n"
    return "# Services for a generated capture, made up by `lbd bench capture`.\n"
      + (methods.contains { $0.name == .fullnat } ? local : "") + services.joined(separator: "\n")
  }

  private struct Method {
    let name: SampleServices
    let number: Int
    let keyword: String
    let scheduler: String
  }

  /// Where answers pass the director the server is chosen by the client's address and port: whoever generates the
  /// capture can then know which server it will be.
  private static let methods = [
    Method(name: .dr, number: 1, keyword: "DR", scheduler: "wlc"),
    Method(name: .nat, number: 2, keyword: "NAT", scheduler: "sh"),
    Method(name: .tun, number: 3, keyword: "TUN", scheduler: "wrr"),
    Method(name: .fullnat, number: 4, keyword: "FNAT", scheduler: "sh"),
  ]

  private func service(_ address: String, _ port: Int, _ transport: String, _ method: Method, servers: String) -> String
  {
    let extra =
      (method.scheduler == "sh" ? "    sh-port\n" : "")
      + (method.name == .fullnat ? "    laddr_group_name local\n" : "")
    let listed = (11...18).map { "    real_server \(servers)\($0) \(port) { weight 1 }\n" }
    return "virtual_server \(address) \(port) {\n    lb_algo \(method.scheduler)\n    lb_kind \(method.keyword)\n"
      + "    protocol \(transport)\n\(extra)\(listed.joined())}\n"
  }
}
