import Lab

/// A target's turn: what it needs of the network and the program on the director, until `end`.
final class PeerDirector {
  private let target: PeerTarget
  private let network: PeerNetwork
  private var process: BackgroundProcess?
  /// What puts the network back, last first.
  private var undoing: [[String]] = []

  private var plan: LabPlan { network.plan }
  private var source: String { target.source ?? PeerNetwork.directorAddress }

  /// Starts a target and waits until it answers.
  init(_ target: PeerTarget, network: PeerNetwork) throws {
    self.target = target
    self.network = network
    do {
      try start()
      try awaitAnswer()
    } catch {
      end()
      throw error
    }
  }

  /// Where iperf3 connects to: without a balancer, to the server itself, for its connections must meet there.
  var transferAddress: String { target.kind == .direct ? network.servers[0] : network.vip }

  // MARK: Start

  private func start() throws {
    // A frame from a veth is handled where it was sent, which is the client's core, unless told otherwise.
    let isSteered = target.kind != .nftables(isSteered: false)
    try network.steer(plan.director, to: isSteered ? PeerNetwork.directorCore : nil)
    switch target.kind {
    case .direct: try routeToServers()
    case .lbd(let kind, let port): try startLbd(kind: kind, port: port)
    case .nftables: try loadRules()
    case .haproxy:
      let path = try write(network.configuration.haproxy(source: source), "haproxy.cfg")
      process = try network.start(plan.director, ["haproxy", "-db", "-f", path], log: "haproxy")
    case .nginx:
      let path = try write(network.configuration.nginx(source: source), "stream.conf")
      process = try network.start(
        plan.director, ["nginx", "-p", plan.folder, "-e", "\(plan.folder)/stream-error.log", "-c", path], log: "stream")
    }
  }

  private func routeToServers() throws {
    let hops = network.servers.flatMap { ["nexthop", "via", $0, "dev", "eth0"] }
    try change(
      plan.client, ["route", "replace", "\(network.vip)/32"] + hops,
      undo: ["route", "replace", "\(network.vip)/32", "dev", "eth0"])
  }

  private func startLbd(kind: String, port: String) throws {
    if kind == "NAT" {
      for server in plan.servers {
        let route = ["\(PeerNetwork.clientAddress)/32", "via", PeerNetwork.directorAddress]
        try change(server, ["route", "add"] + route, undo: ["route", "delete"] + route)
      }
    }
    if kind == "TUN" { try openTunnels() }
    let path = try write(network.configuration.lbd(kind: kind), "keepalived.conf")
    process = try network.start(
      plan.director,
      [network.lab.executable, "run", "--config", path, "--port", port, "--interface", "eth0", "--workers", "1"],
      log: "lbd")
  }

  /// The decapsulating program is on the servers' wires for the time of this turn only.
  private func openTunnels() throws {
    for (index, server) in plan.servers.enumerated() {
      let lbd = [network.lab.executable, "realserver"]
      let state = ["--state", "\(plan.folder)/rs\(index + 1)/tunnel.json"]
      undoing.append(network.lab.inside(server, lbd + ["undo"] + state))
      try network.inside(
        server,
        lbd + ["setup", "--mode", "tun", "--interface", "eth0", "--vip", network.vip, "--advmss", "1440"] + state)
    }
  }

  private func loadRules() throws {
    let path = try write(network.configuration.nftables(source: source), "rules.nft")
    let forward = "net.ipv4.ip_forward"
    undoing.append(network.lab.inside(plan.director, ["sysctl", "-q", "-w", "\(forward)=0"]))
    try network.inside(plan.director, ["sysctl", "-q", "-w", "\(forward)=1"])
    undoing.append(network.lab.inside(plan.director, ["nft", "delete", "table", "ip", PeerConfiguration.table]))
    try network.inside(plan.director, ["nft", "-f", path])
    // Connections that are over are forgotten early, so that one turn's do not fill the table in the next.
    try network.inside(plan.director, ["sysctl", "-q", "-w", "net.netfilter.nf_conntrack_tcp_timeout_time_wait=10"])
  }

  private func change(_ namespace: String, _ command: [String], undo: [String]) throws {
    undoing.append(["ip", "-n", namespace] + undo)
    try Command.check(["ip", "-n", namespace] + command)
  }

  private func write(_ text: String, _ name: String) throws -> String {
    try TextFile.write(text, to: "\(plan.folder)/\(name)")
    return "\(plan.folder)/\(name)"
  }

  /// Both services must answer: a lab that does not work has no speed.
  private func awaitAnswer() throws {
    let curl = ["curl", "-q", "-s", "-f", "-o", "/dev/null", "--max-time", "1", "http://\(network.vip)/"]
    let isUp = try Interruption.wait(seconds: 10) {
      try checkAlive()
      return try Command.run(network.lab.inside(plan.client, curl)).status == 0
    }
    guard isUp else {
      throw LabFailure("\(target.label) does not answer after 10 s: \(process?.lastLine ?? "no process")")
    }
  }

  /// Throws when its program has ended.
  func checkAlive() throws {
    guard let process, !process.isRunning else { return }
    throw LabFailure("\(target.label) ended: \(process.lastLine)")
  }

  // MARK: End

  /// Ends the program and puts the network back, also in an interrupted run.
  func end() {
    process?.stop()
    process = nil
    for command in undoing.reversed() { _ = try? Command.run(command, interruptible: false) }
    undoing = []
  }
}
