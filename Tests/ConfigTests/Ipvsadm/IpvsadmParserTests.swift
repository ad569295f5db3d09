import Testing
import Wire

@testable import Config

@Suite struct IpvsadmParserTests {
  private func parse(_ words: String) -> Result<IpvsadmCommand, IpvsadmError> {
    IpvsadmCommand.parse(words.split(separator: " ").map(String.init))
  }

  /// The command on one line.
  private func text(_ command: IpvsadmCommand) -> String {
    switch command {
    case .addService(let spec): "add \(text(spec))"
    case .editService(let spec): "edit \(text(spec))"
    case .deleteService(let key): "delete \(key)"
    case .clear: "clear"
    case .addServer(let key, let spec): "add \(key) -> \(text(spec))"
    case .editServer(let key, let spec): "edit \(key) -> \(text(spec))"
    case .deleteServer(let key, let endpoint): "delete \(key) -> \(endpoint)"
    case .zero(let key): "zero \(key.map { "\($0)" } ?? "all")"
    case .setTimeouts(let tcp, let tcpFin, let udp): "set \(tcp) \(tcpFin) \(udp)"
    case .list(let request): "list \(text(request))"
    case .save(let isNumeric): isNumeric ? "save numeric" : "save"
    case .restore(let isAtomic): isAtomic ? "restore at once" : "restore"
    case .startDaemon(let spec):
      "start \(spec.role) \(spec.interface) \(spec.syncID) \(spec.lengthLimit ?? 0) \(spec.group) \(spec.port) \(spec.ttl)"
    case .stopDaemon(let role): "stop \(role)"
    case .addLocalAddress(let key, let address, let interface):
      "add local \(address) \(interface ?? "anywhere") to \(key)"
    case .deleteLocalAddress(let key, let address): "delete local \(address) from \(key)"
    case .listLocalAddresses(let key): "list locals of \(key.map { "\($0)" } ?? "all")"
    case .help: "help"
    case .version: "version"
    }
  }

  private func text(_ request: IpvsadmListing) -> String {
    var result = "\(request.format)"
    if let key = request.service { result += " of \(key)" }
    if request.isExact { result += " exact" }
    if request.isJSON { result += " json" }
    return request.isSorted ? result : result + " unsorted"
  }

  private func text(_ spec: ServiceSpec) -> String {
    var parts = ["\(spec.key) \(spec.schedulerName)"]
    if !spec.schedulerFlags.isEmpty { parts.append("flags \(spec.schedulerFlags.rawValue)") }
    if let seconds = spec.persistenceSeconds { parts.append("persistent \(seconds)") }
    if spec.persistenceMask != .full(spec.key.family) { parts.append("mask \(spec.persistenceMask)") }
    if let engine = spec.persistenceEngine { parts.append("pe \(engine)") }
    if spec.onePacket { parts.append("ops") }
    return parts.joined(separator: " ")
  }

  private func text(_ spec: ServerSpec) -> String {
    var result = "\(spec.endpoint) \(spec.method.name) w\(spec.weight)"
    if case .tunnelling(let tunnel) = spec.method, tunnel != .ipip { result += " \(tunnel.kind) \(tunnel.checksum)" }
    if spec.upperThreshold + spec.lowerThreshold > 0 { result += " x\(spec.upperThreshold) y\(spec.lowerThreshold)" }
    return result
  }

  static let rows: [(String, String)] = [
    ("-A -t 10.0.0.1:80", "add TCP 10.0.0.1:80 wlc"),
    ("-At10.0.0.1:80 -srr", "add TCP 10.0.0.1:80 rr"),
    ("-A -u 10.0.0.1:53 -s rr -o", "add UDP 10.0.0.1:53 rr ops"),
    ("-A -u 10.0.0.1:53 -os rr", "add UDP 10.0.0.1:53 rr ops"),
    ("--add-service --tcp-service=10.0.0.1:80 --scheduler wrr", "add TCP 10.0.0.1:80 wrr"),
    ("-A --sctp-service 10.0.0.1:132 -s fo", "add SCTP 10.0.0.1:132 fo"),
    ("-A -t [fd00::1]:80 -s rr -p 9 -M 64", "add TCP [fd00::1]:80 rr persistent 9 mask ipv6(64)"),
    ("-A -t 10.0.0.1:80 -p", "add TCP 10.0.0.1:80 wlc persistent 360"),
    ("-A -t 10.0.0.1:80 -p300", "add TCP 10.0.0.1:80 wlc persistent 300"),
    ("-A -t 10.0.0.1:80 -p -s rr", "add TCP 10.0.0.1:80 rr persistent 360"),
    ("-A -t 10.0.0.1:80 -p=5", "add TCP 10.0.0.1:80 wlc persistent 5"),
    ("-A -t 10.0.0.1 -p 10", "add TCP 10.0.0.1:0 wlc persistent 10"),
    ("-A -t 10.0.0.1:80 -M 24", "add TCP 10.0.0.1:80 wlc mask ipv4(24)"),
    ("-A -t 10.0.0.1:80 -s sh -b sh-fallback,sh-port", "add TCP 10.0.0.1:80 sh flags 3"),
    ("-A -t 10.0.0.1:80 -b flag-3", "add TCP 10.0.0.1:80 wlc flags 4"),
    ("-A -t 10.0.0.1:80 -s abcdefghijklmnopqrst", "add TCP 10.0.0.1:80 abcdefghijklmno"),
    ("-A -t 10.0.0.1:80 --pe sip", "add TCP 10.0.0.1:80 wlc pe sip"),
    ("-A -f 7 -6 -s rr", "add FWM 7 IPv6 rr"),
    ("", "list services"),
    ("-Ln", "list services"),
    ("-l -n --sort", "list services"),
    ("-Ln --nosort -t 10.0.0.1:80", "list services of TCP 10.0.0.1:80 unsorted"),
    ("-Ln -f 7 --stats --exact", "list statistics of FWM 7 exact"),
    ("-Ln --rate --stats", "list statistics"),
    ("-Ln --tun-info --persistent-conn --thresholds --rate", "list rates"),
    ("-Ln --tun-info --persistent-conn", "list persistentConnections"),
    ("-Ln --tun-info", "list tunnels"),
    ("-Ln --thresholds", "list thresholds"),
    ("-Lnc", "list connections(withEngines: false)"),
    ("-Lnc --persistent-conn", "list connections(withEngines: true)"),
    ("-L --timeout", "list timeouts"),
    ("-L --daemon", "list daemons"),
    ("-L --health", "list health"),
    ("-L --health -t 10.0.0.1:80", "list health of TCP 10.0.0.1:80"),
    ("-Z", "zero all"),
    ("-Z -u 10.0.0.1:53", "zero UDP 10.0.0.1:53"),
    ("--set 1 2 3", "set 1 2 3"),
    ("--set 0 0 2678400", "set 0 0 2678400"),
    ("-S", "save"),
    ("-S -n", "save numeric"),
    ("-R", "restore"),
    ("--restore --atomic", "restore at once"),
    ("-L --json", "list services json"),
    ("-Lc --json", "list connections(withEngines: false) json"),
    ("-h", "help"),
    ("--version", "version"),
    ("--start-daemon master", "start master eth0 0 0 224.0.0.81 8848 1"),
    (
      "--start-daemon=backup --syncid 255 --sync-maxlen 1000 --mcast-group ff02::5 --mcast-port 9 --mcast-ttl 255"
        + " --mcast-interface averyverylongname", "start backup averyverylongna 255 1000 ff02::5 9 255"
    ),
    ("--stop-daemon backup --syncid 3", "stop backup"),
    ("-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -b", "add TCP 10.0.0.1:80 -> 10.1.0.1:8080 FNAT w1"),
    ("-e -t 10.0.0.1:80 -r 10.1.0.1 -bw7", "edit TCP 10.0.0.1:80 -> 10.1.0.1:80 FNAT w7"),
    ("-a -t 10.0.0.1:80 -r [fd00::1]:80 -b", "add TCP 10.0.0.1:80 -> [fd00::1]:80 FNAT w1"),
    ("-a -t 10.0.0.1:80 -r 10.1.0.1 --fullnat", "add TCP 10.0.0.1:80 -> 10.1.0.1:80 FNAT w1"),
    ("--add-laddr -z 10.2.0.9 -t 10.0.0.1:80 -F eth1", "add local 10.2.0.9 eth1 to TCP 10.0.0.1:80"),
    ("-P -t 10.0.0.1:80 --local-address fd00::1", "add local fd00::1 anywhere to TCP 10.0.0.1:80"),
    ("--del-laddr -z 10.2.0.9 -t 10.0.0.1:80 -F eth1", "delete local 10.2.0.9 from TCP 10.0.0.1:80"),
    ("-G", "list locals of all"),
    ("--get-laddr -n -f 7", "list locals of FWM 7"),
    ("-A -f 4294967295 -s rr", "add FWM 4294967295 rr"),
    ("-E -t 10.0.0.1:80", "edit TCP 10.0.0.1:80 wlc"),
    ("-D -t 10.0.0.1:80", "delete TCP 10.0.0.1:80"),
    ("-C", "clear"),
    ("-a -t 10.0.0.1:80 -r 10.1.0.1", "add TCP 10.0.0.1:80 -> 10.1.0.1:80 DR w1"),
    ("-a -t 10.0.0.1:80 -r 10.1.0.1:81", "add TCP 10.0.0.1:80 -> 10.1.0.1:80 DR w1"),
    ("-a -r 10.1.0.1 -t 10.0.0.1:80 -m", "add TCP 10.0.0.1:80 -> 10.1.0.1:0 NAT w1"),
    ("-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 3", "add TCP 10.0.0.1:80 -> 10.1.0.1:8080 NAT w3"),
    ("-a -t 10.0.0.1:80 -r 10.1.0.1:81 -i", "add TCP 10.0.0.1:80 -> 10.1.0.1:80 TUN w1"),
    ("-a -t [fd00::1]:80 -r 10.1.0.1 -i", "add TCP [fd00::1]:80 -> 10.1.0.1:80 TUN w1"),
    ("-a -t 10.0.0.1:80 -r 10.1.0.1 -gx5 -y 2", "add TCP 10.0.0.1:80 -> 10.1.0.1:80 DR w1 x5 y2"),
    (
      "-a -t 10.0.0.1:80 -r 10.1.0.1 -i --tun-type gue --tun-port 6080 --tun-csum",
      "add TCP 10.0.0.1:80 -> 10.1.0.1:80 TUN w1 gue(port: 6080) csum"
    ),
    ("-a -t 10.0.0.1:80 -r 10.1.0.1 -i --tun-type=gre", "add TCP 10.0.0.1:80 -> 10.1.0.1:80 TUN w1 gre none"),
    ("-a -f 1 -r 10.1.0.1:8080 -g", "add FWM 1 -> 10.1.0.1:8080 DR w1"),
    ("-e -t 10.0.0.1:80 -r 10.1.0.1 -w 0", "edit TCP 10.0.0.1:80 -> 10.1.0.1:80 DR w0"),
    ("-d -t 10.0.0.1:80 -r 10.1.0.1:81", "delete TCP 10.0.0.1:80 -> 10.1.0.1:81"),
    ("-d -t 10.0.0.1:80 -r 10.1.0.1", "delete TCP 10.0.0.1:80 -> 10.1.0.1:80"),
  ]

  @Test(arguments: rows)
  func reads(words: String, expected: String) throws {
    #expect(text(try parse(words).get()) == expected)
  }

  static let faults: [(String, String, Int32)] =
    IpvsadmLines.refused + [
      ("-n", "Try `ipvsadm -h' or 'ipvsadm --help' for more information.", 255),
      ("-t 10.0.0.1:80 -A", "Try `ipvsadm -h' or 'ipvsadm --help' for more information.", 255),
      ("-A -t 10.0.0.1:80 -D", "invalid option `-D'", 2),
      ("-A -t 10.0.0.1:80 extra", "unexpected argument extra", 2),
      ("-A -t 10.0.0.1:80 -- -s", "unexpected argument -s", 2),
      ("-A -t 10.0.0.1:80 -s rr -s rr", "multiple 'scheduler' options specified", 2),
      ("-A -t 10.0.0.1:80 --ops=1", "--ops=1: option does not take an argument", 255),
      ("-A -t 10.0.0.1:80 --nosuch", "--nosuch: unknown option", 255),
      ("-A -t 10.0.0.1:80 -oK", "-oK: unknown option", 255),
      ("-A -t [fd00::1]", "illegal virtual server address[:port] specified", 2),
      ("-A -t [10.0.0.1]:80", "illegal virtual server address[:port] specified", 2),
      ("-A -t 80", "illegal virtual server address[:port] specified", 2),
      ("-A -t 10.0.0.1:", "illegal virtual server address[:port] specified", 2),
      ("-A -6 -f 1", "-6 used before -f", 2),
      ("-A -t [fd00::1]:80 -M 129", "invalid netmask specified", 2),
      ("-A -t 10.0.0.1:80 -s rr -b sh-port", "incompatible scheduler flag `sh-port'", 2),
      ("-C -t 10.0.0.1:80", "Illegal 'service-address' option with the 'flush' command", 2),
      ("-d -t 10.0.0.1:80 -r 10.1.0.1 -m", "Illegal 'forwarding-method' option with the 'delete-server' command", 2),
      ("-R extra", "unexpected argument extra", 2),
      ("-L --atomic", "Illegal 'atomic' option with the 'list' command", 2),
      ("-C --json", "Illegal 'json' option with the 'flush' command", 2),
      ("-A -t 10.0.0.1:80 -z 10.2.0.9", "Illegal 'local-address' option with the 'add-service' command", 2),
      ("-P -t 10.0.0.1:80", "You need to supply the 'local-address' option for the 'add-laddr' command", 2),
      ("-P -z 10.2.0.9", "You need to supply the 'service-address' option for the 'add-laddr' command", 2),
      ("-P -z here -t 10.0.0.1:80", "illegal local address specified", 2),
      (
        "-a -f 7 -r 10.1.0.1 -b",
        "FULLNAT is not to be had for a firewall mark: it has no address that answers could come from", 2
      ),
      ("-a -t 10.0.0.1:80 -r 10.1.0.1 -mb", "multiple 'forwarding-method' options specified", 2),
      (
        "-a -t 10.0.0.1:80 -r 10.1.0.1 --sched-flags flag-1",
        "Illegal 'sched-flags' option with the 'add-server' command", 2
      ),
      ("-A -t 10.0.0.1:80 --sched rr", "--sched: unknown option", 255),
      ("-Lnn", "multiple 'numeric' options specified", 2),
      ("--start-daemon master --sync-maxlen 0", "illegal sync-maxlen specified", 2),
      ("--start-daemon master --sync-maxlen 70000", "illegal sync-maxlen specified", 2),
      ("--start-daemon master --mcast-group 10.0.0.1", "invalid IPv4 mcast-group `10.0.0.1'", 2),
      ("--start-daemon master --mcast-group fd00::1", "invalid IPv6 mcast-group `fd00::1'", 2),
      ("--start-daemon master --mcast-port 0", "illegal mcast-port specified", 2),
      ("--start-daemon master --mcast-ttl 256", "illegal mcast-ttl specified", 2),
      ("--start-daemon master foo", "unexpected argument foo", 2),
      ("--start-daemon master --start-daemon backup", "invalid option `backup'", 2),
      (
        "-Lnc -t 10.1.0.100:80",
        "The option 'service-address' conflicts with the 'connection' option in the 'list' command", 2
      ),
      ("-L --timeout --persistent-conn", "options conflicts in the list command", 2),
      ("--set 1 2 3 -n", "Illegal 'numeric' option with the 'set' command", 2),
      ("--set 1 2 3 4", "unexpected argument 4", 2),
    ]

  @Test(arguments: faults)
  func refuses(words: String, message: String, exitCode: Int32) {
    guard case .failure(let error) = parse(words) else {
      Issue.record("\(words) is accepted")
      return
    }
    #expect(error.message == message && error.exitCode == exitCode)
    #expect(!error.isMissing)
  }

  /// A well formed command is the kernel's to refuse.
  @Test(arguments: IpvsadmLines.handedOn)
  func handsOn(words: String) {
    if case .failure(let error) = parse(words) { Issue.record("\(words): \(error)") }
  }

  @Test(arguments: IpvsadmLines.commands)
  func readsRecordedLine(line: String) {
    guard case .success = IpvsadmCommand.parse(line: line) else {
      Issue.record("\(line) is refused")
      return
    }
  }

  @Test(arguments: IpvsadmLines.saved)
  func readsSavedLine(words: String) {
    guard case .success = parse(words) else {
      Issue.record("\(words) is refused")
      return
    }
  }

  @Test(arguments: IpvsadmLines.daemons)
  func readsDaemonLine(line: String) {
    guard case .success(.startDaemon) = IpvsadmCommand.parse(line: line) else {
      Issue.record("\(line) is refused")
      return
    }
  }

  @Test(arguments: ["", "# ipvsadm -C", "iptables -t mangle -F", "echo ipvsadm -C"])
  func otherLinesAreNoCommands(line: String) {
    #expect(IpvsadmCommand.parse(line: line) == nil)
  }

  @Test(arguments: [
    ("/usr/sbin/ipvsadm -C", "clear"),
    ("ipvsadm -a -t 10.0.0.1:80 -r 10.1.0.1\u{a0} -g", "add TCP 10.0.0.1:80 -> 10.1.0.1:80 DR w1"),
    ("ipvsadm -A -t '10.0.0.1:80' -s wrr # web", "add TCP 10.0.0.1:80 wrr"),
  ])
  func readsScriptLine(line: String, expected: String) throws {
    #expect(text(try #require(IpvsadmCommand.parse(line: line)).get()) == expected)
  }

  @Test(
    arguments: [
      ("-r 10.1.0.1", nil), ("-r 10.1.0.1 -x 5 -y 5", nil), ("-r 10.1.0.1 -x 5 -y 10", "Numerical result out of range"),
      ("-r 10.1.0.1 -y 10", "Numerical result out of range"),
      ("-r 224.0.0.1", "Invalid operation.  Possibly wrong module version, address not unicast, ..."),
      ("-r 0.0.0.0", "Invalid operation.  Possibly wrong module version, address not unicast, ..."),
      ("-r 255.255.255.255", "Invalid operation.  Possibly wrong module version, address not unicast, ..."),
    ] as [(String, String?)])
  func knowsWhatTheKernelRefuses(words: String, expected: String?) throws {
    guard case .addServer(_, let spec) = try parse("-a -t 10.0.0.1:80 \(words)").get() else { return }
    #expect(spec.refusal?.message == expected)
    #expect(spec.refusal == nil || spec.refusal?.exitCode == 255)
  }

  /// Any words give an answer.
  @Test(arguments: 0..<20)
  func survivesNonsense(seed: Int) {
    var random = RandomSource(state: UInt64(seed))
    let words = (IpvsadmLines.commands + IpvsadmLines.daemons).flatMap { $0.split(separator: " ").dropFirst() }
    for _ in 0..<300 {
      let count = Int.random(in: 0..<9, using: &random)
      let line = (0..<count).map { _ in String(words[Int.random(in: 0..<words.count, using: &random)]) }
      if case .failure(let error) = IpvsadmCommand.parse(line) { #expect([2, 255].contains(error.exitCode)) }
    }
  }
}
