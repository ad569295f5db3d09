import Lab

/// The lab that all targets share: client, director, two real servers on one bridge.
///
/// The plan is that of direct routing, where everyone is a neighbour of everyone; what the other targets need beside it
/// is a route or two, set for the time of their turn. The wires and their features never change.
final class PeerNetwork {
  let plan: LabPlan
  let lab: LabNetwork
  let vip = LabPlan.vip(.ipv4)
  private var transferServer: BackgroundProcess?

  static let prefix = "lbd-peers-"
  static let clientCore = 0
  static let directorCore = 1
  static let clientAddress = "10.0.1.1"
  static let directorAddress = "10.0.1.2"
  static let localAddresses = (1...8).map { "10.2.0.\($0)" }

  private let wire: PeerWire

  init(executable: String, wire: PeerWire) {
    self.wire = wire
    plan = LabPlan(mode: .dr, prefix: PeerNetwork.prefix, fileByteCount: 1 << 20)
    lab = LabNetwork(plan: plan, executable: executable)
  }

  var servers: [String] { plan.servers.indices.map { plan.serverAddress($0, .ipv4) } }

  var configuration: PeerConfiguration {
    PeerConfiguration(vip: vip, servers: servers, localAddresses: "10.2.0.1-8", folder: plan.folder)
  }

  // MARK: Up and down

  /// Removes whatever an earlier run left, and builds.
  func setUp() throws {
    try lab.setUp()
    try tuneSwitch()
    try tuneDirector()
    try tuneClient()
    if wire.receiversHaveTheirCore {
      for namespace in [plan.client] + plan.servers { try steer(namespace, to: PeerNetwork.clientCore) }
    }
    for (index, server) in plan.servers.enumerated() {
      try Command.check(["ip", "-n", server, "route", "add", "10.2.0.0/24", "via", PeerNetwork.directorAddress])
      // A TCP that offers its segments to hardware is not what is measured here.
      if index == 0 {
        transferServer = try start(
          server, ["iperf3", "-s", "-p", "\(PeerConfiguration.transferPort)"], log: "iperf3-server")
      }
      try pin(namespace: server)
    }
  }

  /// Nothing stays: everything lives in the namespaces or in the lab's folder.
  static func tearDown() {
    LabNetwork.tearDown(prefix: prefix, folder: LabPlan.defaultFolder(prefix: prefix))
  }

  /// The bridge is to be a wire. It filters nothing; and, unless it waits for more to come, it does not join a kernel's
  /// segments, which it receives in batches, for it could not join those that a socket of AF_XDP sends one by one.
  private func tuneSwitch() throws {
    let ethernetSwitch = "\(PeerNetwork.prefix)switch"
    try inside(ethernetSwitch, ["ethtool", "-K", "director", "gro", wire.gathersFrames ? "on" : "off"])
    if wire.gathersFrames {
      let port = "/sys/class/net/director"
      try set("\(port)/gro_flush_timeout", "\(PeerWire.gatheringNanoseconds)", in: ethernetSwitch)
      try set("\(port)/napi_defer_hard_irqs", "1000", in: ethernetSwitch)
    }
    let filters = ["iptables", "ip6tables", "arptables"].map { "net.bridge.bridge-nf-call-\($0)=0" }
    // Not there in kernels without that filter.
    _ = try Command.run(lab.inside(ethernetSwitch, ["sysctl", "-q", "-e", "-w"] + filters))
  }

  private func tuneDirector() throws {
    for address in PeerNetwork.localAddresses + PeerTarget.all.compactMap(\.source) {
      try Command.check(["ip", "-n", plan.director, "address", "add", "\(address)/32", "dev", "eth0"])
    }
    // What AF_XDP cannot use is off for all.
    try inside(plan.director, ["ethtool", "-K", "eth0", "tx", "off", "tso", "off", "gso", "off", "gro", "off"])
    try inside(
      plan.director,
      ["sysctl", "-q", "-w", "net.ipv4.ip_local_port_range=1024 65535", "net.ipv4.tcp_tw_reuse=1"] + [
        "net.core.somaxconn=4096", "net.ipv4.tcp_max_syn_backlog=8192",
      ])
  }

  private func tuneClient() throws {
    // Without a balancer the flows divide themselves among the servers, by their ports.
    try inside(plan.client, ["sysctl", "-q", "-w", "net.ipv4.fib_multipath_hash_policy=1"])
  }

  /// Which core handles what arrives at a namespace; nil: the one that sent it.
  func steer(_ namespace: String, to core: Int?) throws {
    let mask = core.map { String(1 << $0, radix: 16) } ?? "0"
    try set("/sys/class/net/eth0/queues/rx-0/rps_cpus", mask, in: namespace)
  }

  /// Writes a file of a namespace's /sys, which only a program inside it sees.
  private func set(_ path: String, _ value: String, in namespace: String) throws {
    let source = "\(plan.folder)/value"
    try TextFile.write(value, to: source)
    try inside(namespace, ["dd", "if=\(source)", "of=\(path)", "status=none"])
  }

  /// Puts what runs in a server's namespace on the client's core, and lets other work on the machine disturb it less.
  private func pin(namespace: String) throws {
    let pids = try Command.check(["ip", "netns", "pids", namespace]).split(separator: "\n").map(String.init)
    for pid in pids {
      try Command.check(["taskset", "-a", "-c", "-p", "\(PeerNetwork.clientCore)", pid])
      PeerNetwork.favour(pid)
    }
  }

  // MARK: Running

  /// Runs a command in a namespace; it must succeed.
  @discardableResult
  func inside(_ namespace: String, _ command: [String]) throws -> String {
    try Command.check(lab.inside(namespace, command))
  }

  /// Starts a program in a namespace on its core.
  func start(_ namespace: String, _ command: [String], log: String) throws -> BackgroundProcess {
    let isDirector = namespace == plan.director
    let core = isDirector ? PeerNetwork.directorCore : PeerNetwork.clientCore
    // A director in the kernel works in interrupts, which come before whatever else runs on the machine; one that is a
    // program must not fall behind other work either, or the machine's load decides between them.
    let urgency = isDirector ? ["chrt", "--fifo", "1"] : []
    let process = try BackgroundProcess(
      ["taskset", "-c", "\(core)"] + urgency + lab.inside(namespace, command), logPath: "\(plan.folder)/\(log).log")
    PeerNetwork.favour("\(process.pid)")
    return process
  }

  /// Every session is a scheduling group of its own here, so niceness counts for the group. Best effort: kernels
  /// without such groups have no such file.
  private static func favour(_ pid: String) {
    let path = "/proc/\(pid)/autogroup"
    if TextFile.read(path) != nil { try? TextFile.write("-15", to: path) }
  }
}
