import Glibc
import Kernel
import Wire

/// A plan made real: namespaces, links, servers; and their removal.
///
/// Everything a lab makes lies in its namespaces or in its folder, so `tearDown` needs no memory of what was built:
/// every process in a namespace of ours is ours, and the same call clears what an aborted run left behind.
public final class LabNetwork {
  /// What is built.
  public let plan: LabPlan
  /// The path of `lbd`, which the namespaces' programs and servers come from.
  public let executable: String

  /// A network not built yet.
  public init(plan: LabPlan, executable: String) {
    self.plan = plan
    self.executable = executable
  }

  // MARK: Up

  /// Builds the network and starts the real servers. On failure nothing is left.
  public func setUp() throws {
    LabNetwork.tearDown(prefix: plan.prefix, folder: plan.folder)
    do {
      try makeFolder()
      for command in LabTopology(plan: plan).commands { try Command.check(command) }
      try preparePorts()
      try startServers()
    } catch {
      LabNetwork.tearDown(prefix: plan.prefix, folder: plan.folder)
      throw error
    }
  }

  private func makeFolder() throws {
    for number in 1...plan.hosts.count {
      try Command.check(["mkdir", "-p", "-m", "700", "\(plan.folder)/rs\(number)/upload"])
    }
    try TextFile.write(LabConfiguration(plan: plan).director, to: configurationPath)
    try makeFile(downloadPath, byteCount: plan.fileByteCount)
  }

  private func makeFile(_ path: String, byteCount: Int) throws {
    try Command.check([
      "dd", "if=/dev/urandom", "of=\(path)", "bs=1M", "count=\(byteCount)", "iflag=count_bytes,fullblock",
      "status=none",
    ])
  }

  private func preparePorts() throws {
    for port in plan.directorSwitchPorts {
      try Command.check(
        inside(plan.ethernetSwitch, [executable, "lab", "port", "pass", "--interface", port]))
    }
    guard plan.mode == .fullnatVLAN else { return }
    let trunk = VLANTrunk(plan: plan)
    try TextFile.write(trunk.filter, to: trunk.filterPath)
    for command in trunk.commands(executable: executable) { try Command.check(command) }
  }

  private func startServers() throws {
    for (index, server) in plan.hosts.enumerated() {
      let home = "\(plan.folder)/rs\(index + 1)"
      if plan.mode.serversHoldVIP, server != plan.director { try holdVIP(server, home: home) }
      try TextFile.write(LabConfiguration(plan: plan).server(index + 1), to: "\(home)/nginx.conf")
      let start = inside(
        server, ["nginx", "-p", home, "-e", "\(home)/error.log", "-c", "\(home)/nginx.conf"])
      let nginx = try BackgroundProcess(
        plan.controlGroups == nil ? start : LabNetwork.inside(group: tellClients(server, home: home), start),
        logPath: "\(home)/nginx.log")
      _ = try BackgroundProcess(
        inside(
          server,
          [executable, "lab", "udp-echo", "--address", "0.0.0.0", "--address", "::", "--port", "\(LabPlan.echoPort)"]),
        logPath: "\(home)/echo.log")
      // nginx writes its pid once it listens.
      let isUp = try Interruption.wait(seconds: 10) {
        access("\(home)/nginx.pid", F_OK) == 0 || !nginx.isRunning
      }
      guard isUp, nginx.isRunning else { throw LabFailure("nginx of \(server) does not start: \(nginx.lastLine)") }
      if plan.hasFTP, FTPTransfer.isInstalled { try startFTP(server, home: home) }
    }
  }

  private func startFTP(_ server: String, home: String) throws {
    try Command.check(["mkdir", "\(home)/empty"])
    try Command.check(["ln", downloadPath, "\(home)/download"])
    try TextFile.write(FTPTransfer.configuration(home: home), to: "\(home)/ftp.conf")
    let program = try BackgroundProcess(
      inside(server, [FTPTransfer.server, "\(home)/ftp.conf"]), logPath: "\(home)/ftp.log")
    let listing = inside(server, ["ss", "-H", "-l", "-t", "-n", "sport = :\(LabPlan.serverFTPPort)"])
    let isUp = try Interruption.wait(seconds: 10) {
      (try? Command.run(listing))?.output.isEmpty == false || !program.isRunning
    }
    guard isUp, program.isRunning else {
      throw LabFailure("\(FTPTransfer.server) of \(server) does not start: \(program.lastLine)")
    }
  }

  /// The namespaces share /run, so each server keeps its record of what was changed in its own folder.
  private func holdVIP(_ server: String, home: String) throws {
    let vips = LabPlan.families.flatMap { ["--vip", LabPlan.vip($0)] }
    try Command.check(
      inside(
        server,
        [executable, "realserver", "setup"] + vips
          + ["--mode", plan.mode.realServerMode, "--interface", "eth0", "--state", "\(home)/realserver.json"]))
  }

  /// A control group of the server's own, so that nothing outside the lab is touched; its programs go with it. Made from
  /// outside the namespace: in there, `ip` has another /sys.
  private func tellClients(_ server: String, home: String) throws -> String {
    let group = "\(try LabNetwork.controlGroupRoot())/\(server)"
    try Command.check(["mkdir", "-p", group])
    let directors = LabPlan.families.flatMap { family in
      (1...LabPlan.localAddressCount).flatMap { ["--director", LabPlan.local($0, family)] }
    }
    try Command.check(
      [executable, "realserver", "setup", "--mode", "fullnat", "--toa", "--control-group", group] + directors
        + ["--state", "\(home)/realserver.json"])
    return group
  }

  /// The command as run in a control group: sockets belong to the one they are made in.
  private static func inside(group: String, _ command: [String]) -> [String] {
    ["sh", "-c", "echo $$ > \(group)/cgroup.procs; exec \"$@\"", "sh"] + command
  }

  private static func controlGroupRoot() throws -> String {
    do { return try ControlGroupAttachment.root().path } catch { throw LabFailure("\(error)") }
  }

  // MARK: Use

  var configurationPath: String { "\(plan.folder)/keepalived.conf" }
  var downloadPath: String { "\(plan.folder)/download" }

  /// The command as run in a namespace.
  public func inside(_ namespace: String, _ command: [String]) -> [String] {
    ["ip", "netns", "exec", namespace] + command
  }

  // MARK: Down

  /// Ends what runs in the namespaces of this prefix, removes them and the folder. Safe to call when there is nothing.
  /// - Returns: the names of the namespaces that were removed.
  @discardableResult
  public static func tearDown(prefix: String, folder: String) -> [String] {
    let names = existingNamespaces(prefix: prefix)
    if !names.isEmpty {
      endProcesses(in: names, with: SIGTERM)
      let deadline = monotonicSeconds() + 2
      while monotonicSeconds() < deadline, names.contains(where: { !processes(in: $0).isEmpty }) { usleep(20_000) }
      endProcesses(in: names, with: SIGKILL)
      for name in names { _ = try? Command.run(["ip", "netns", "delete", name], interruptible: false) }
    }
    if let root = try? controlGroupRoot() {
      for role in LabPlan.roles { rmdir("\(root)/\(prefix)\(role)") }
    }
    if access(folder, F_OK) == 0 { _ = try? Command.run(["rm", "-r", "-f", "--", folder], interruptible: false) }
    // Fails while another lab is up, as it should.
    rmdir(LabPlan.folderOfFolders)
    return names
  }

  /// The namespaces that a lab of this prefix would have made; nothing else that happens to begin alike.
  static func existingNamespaces(prefix: String) -> [String] {
    guard let listing = try? Command.run(["ip", "netns", "list"], interruptible: false) else { return [] }
    let ours = LabPlan.roles.map { prefix + $0 }
    let names = listing.output.split(separator: "\n").compactMap { $0.split(separator: " ").first.map(String.init) }
    return names.filter(ours.contains)
  }

  private static func endProcesses(in names: [String], with number: Int32) {
    for name in names {
      for pid in processes(in: name) { kill(pid, number) }
    }
  }

  private static func processes(in namespace: String) -> [pid_t] {
    guard let listing = try? Command.run(["ip", "netns", "pids", namespace], interruptible: false) else { return [] }
    return listing.output.split(separator: "\n").compactMap { pid_t($0) }.filter { $0 > 1 && $0 != getpid() }
  }
}
