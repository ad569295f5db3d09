import Foundation
import Testing

/// The program under the name keepalived: what a service file, a container or a script has to do with.
@Suite(.serialized, .enabled(if: ProgramSession.obstacle == nil, "\(ProgramSession.obstacle ?? "")"))
struct KeepalivedProcessTests {
  private static let samples = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("ConfigTests/Samples").path

  /// `eth0` is there, /run is this session's own. `wait` says when a line has come into the log, `gone` when a process has.
  private static let network = """
    mount -t tmpfs none /run; mkdir tmp; export TMPDIR=$PWD/tmp
    ln -s lbd bin/keepalived
    ip link add eth0 type veth peer name far; ip link set far up
    ip link set eth0 up; ip addr add 10.1.0.1/24 dev eth0; ip addr add 10.1.0.100/32 dev eth0
    come() { for n in $(seq 300); do grep -q "$1" log && return; sleep 0.1; done; cat log; return 1; }
    gone() { for n in $(seq 300); do [ -e /proc/$1 ] || return 0; sleep 0.1; done; return 1; }
    start() { keepalived -G -g $PWD/log "$@"; }
    stop() { local p=$(cat /run/keepalived.pid); kill $p; gone $p; }
    """

  private static func configuration(weight: Int) -> String {
    """
    lbd { port packet }
    vrrp_instance VI_1 { interface eth0
    virtual_router_id 51
    authentication { auth_type PASS
    auth_pass sesame
    }
    virtual_ipaddress { 10.1.0.100
    }
    }
    virtual_server 10.1.0.100 80 { lb_algo rr
    lb_kind DR
    protocol TCP
    real_server 10.1.0.11 80 { weight \(weight)
    }
    }
    """
  }

  private func session() throws -> ProgramSession { try ProgramSession(network: KeepalivedProcessTests.network) }

  /// Types a line that must succeed.
  @discardableResult
  private func output(_ line: String, of session: ProgramSession) throws -> String {
    let answer = try session.answer(line)
    #expect(answer.exitCode == 0, "\(line): \(answer.errors)\(answer.output)")
    return answer.output
  }

  private func write(weight: Int, in session: ProgramSession) throws {
    try output("cat > conf <<'END'\n\(KeepalivedProcessTests.configuration(weight: weight))\nEND", of: session)
  }

  @Test func aLife() throws {
    let session = try session()
    try write(weight: 1, in: session)
    try output("start -f conf -D -V", of: session)
    defer { _ = try? session.answer("stop") }
    // Up means up: it answers at once.
    #expect(try output("ipvsadm -Ln", of: session).contains("10.1.0.11:80                 Route   1"))
    let numbers = try output("cat /run/keepalived.pid /run/vrrp.pid /run/checkers.pid | uniq -c", of: session)
    #expect(numbers.split(separator: " ").first == "3")
    #expect(try output("cat /proc/$(cat /run/keepalived.pid)/comm", of: session) == "keepalived\n")
    #expect(try output("readlink /proc/$(cat /run/keepalived.pid)/cwd", of: session) == "/\n")
    let descriptors = "p=$(cat /run/keepalived.pid); for n in 0 1 2; do readlink /proc/$p/fd/$n; done | uniq"
    #expect(try output(descriptors, of: session) == "/dev/null\n")
    try reload(session)
    try dumps(session)
    try output("stop", of: session)
    #expect(try output("ls /run", of: session) == "")
    let log = try output("sed 's/^.* 20[0-9][0-9]: //' log", of: session)
    for phrase in [
      "Starting Keepalived v2.2.7", "Command line: 'keepalived' '-G'", "-V has no effect: ", "Startup complete",
      "warning: (VI_1) VRRP is not run by this version", "Stopping", "Stopped Keepalived v2.2.7",
    ] {
      #expect(log.split(separator: "\n").contains { $0.hasPrefix(phrase) }, "\(phrase) in \(log)")
    }
    #expect(!log.contains("sesame"))
  }

  /// A good file is taken over, a bad one is not.
  private func reload(_ session: ProgramSession) throws {
    try write(weight: 2, in: session)
    try output("kill -HUP $(cat /run/keepalived.pid); come 'Reload complete'", of: session)
    #expect(try output("ipvsadm -Ln", of: session).contains("10.1.0.11:80                 Route   2"))
    try output("sed -i 's/lb_kind DR/lb_kind XX/; s/weight 2/weight 3/' conf", of: session)
    try output("kill -HUP $(cat /run/keepalived.pid); come 'reload refused'", of: session)
    #expect(try output("grep -c 'Reload complete' log", of: session) == "1\n")
    #expect(try output("ipvsadm -Ln", of: session).contains("10.1.0.11:80                 Route   2"))
  }

  private func dumps(_ session: ProgramSession) throws {
    try output("echo mine > victim; ln -s $PWD/victim tmp/keepalived.json", of: session)
    for (name, line) in [
      ("JSON", "Printing VRRP as json"), ("DATA", "Printing VRRP data"), ("STATS", "Printing VRRP stats"),
      ("STATS_CLEAR", "Printing and clearing VRRP stats"),
    ] {
      try output("kill -$(keepalived --signum=\(name)) $(cat /run/keepalived.pid); come '\(line)'", of: session)
    }
    // They are written one after the other: when the last is there, all are.
    try output("for n in $(seq 300); do [ -e tmp/keepalived.stats ] && break; sleep 0.1; done", of: session)
    #expect(
      try output("cd tmp; stat -c '%n %a %F' *; cd ..", of: session) == """
        keepalived.data 600 regular file
        keepalived.json 600 regular file
        keepalived.stats 600 regular file
        keepalived_check.data 600 regular file
        keepalived_check.json 600 regular file

        """)
    #expect(try output("cat victim", of: session) == "mine\n")
    #expect(try output("grep -rl sesame tmp || true", of: session) == "")
    let json = try JSONSerialization.jsonObject(with: Data(try output("cat tmp/keepalived.json", of: session).utf8))
    let instances = json as? [[String: [String: Any]]]
    #expect(instances?.map { $0["data"]?["iname"] as? String } == ["VI_1"])
    #expect(instances?[0]["data"]?["state"] as? Int == 0)
    let topology = try output("cat tmp/keepalived_check.data", of: session)
    #expect(topology.contains("RIP = 10.1.0.11, RPORT = 80, WEIGHT = 2"))
    let services = try JSONSerialization.jsonObject(
      with: Data(try output("cat tmp/keepalived_check.json", of: session).utf8))
    #expect(((services as? [String: Any])?["services"] as? [Any])?.count == 1)
  }

  struct Failure: Sendable, CustomTestStringConvertible {
    let line: String
    let code: Int32
    let words: String
    var testDescription: String { "\(code): \(line)" }
  }

  /// In the foreground and in the background alike: whoever calls hears of it.
  @Test(arguments: ["", "-n "])
  func failures(_ ground: String) throws {
    let session = try session()
    try write(weight: 1, in: session)
    try output("sed 's/lb_kind DR/lb_kind XX/' conf > bad", of: session)
    try output("sed 's/^lbd.*/lbd { interface eth7\\n}/' conf > missing", of: session)
    let rows = [
      Failure(line: "start \(ground)-f none", code: 6, words: "cannot read configuration"),
      Failure(line: "start \(ground)-f bad", code: 2, words: "refused, 1 error"),
      Failure(line: "start \(ground)-f missing", code: 1, words: "no such interface"),
      Failure(line: "start \(ground)-f conf -s nowhere", code: 1, words: "ip netns list"),
      Failure(line: "start \(ground)-f conf -p /nonexistent/pid", code: 1, words: "cannot write /nonexistent/pid"),
      Failure(
        line: "setpriv --bounding-set=-all --inh-caps=-all keepalived -G \(ground)-f conf", code: 4, words: "EPERM"),
      Failure(line: "start \(ground)-Z -f conf", code: 1, words: "Unknown option -Z"),
    ]
    for row in rows {
      let answer = try session.answer(row.line)
      #expect(answer.exitCode == row.code, "\(row)")
      #expect(answer.errors.contains(row.words), "\(row): \(answer.errors)")
      #expect(try output("ls /run", of: session) == "", "\(row)")
    }
  }

  @Test func numbersOfProcesses() throws {
    let session = try session()
    try write(weight: 1, in: session)
    // The shell's own number, as a container has another program's; one of nobody; then one that is a keepalived's.
    for number in ["$$", "4194305"] {
      try output("echo \(number) > /run/keepalived.pid; start -f conf; stop", of: session)
    }
    try output("start -f conf", of: session)
    defer { _ = try? session.answer("stop") }
    let second = try session.answer("keepalived -n -l -G -f conf")
    #expect(second.exitCode == 0 && second.errors.contains("daemon is already running"))
    #expect(try output("ipvsadm -Ln | grep -c Route", of: session) == "1\n")
  }

  /// Without anything to do it waits, and a reload brings work.
  @Test func nothingToRun() throws {
    let session = try session()
    try output("echo > conf; start -f conf; come 'no configuration to run'", of: session)
    defer { _ = try? session.answer("stop") }
    try output("kill -36 $(cat /run/keepalived.pid); come 'VRRP as json'; [ ! -e /run/checkers.pid ]", of: session)
    try output("for n in $(seq 300); do [ -e tmp/keepalived.json ] && break; sleep 0.1; done", of: session)
    #expect(try output("cat tmp/keepalived.json", of: session) == "[]\n")
    try write(weight: 5, in: session)
    try output("kill -HUP $(cat /run/keepalived.pid); come 'ready: 1 services'", of: session)
    try output("for n in $(seq 300); do ipvsadm -Ln && break; sleep 0.1; done; [ -e /run/checkers.pid ]", of: session)
    #expect(try output("ipvsadm -Ln", of: session).contains("Route   5"))
  }

  @Test func onlyVRRP() throws {
    let session = try session()
    try write(weight: 1, in: session)
    try output("start -P -f conf; come 'virtual servers are not balanced, as -P says'", of: session)
    try output("[ -e /run/vrrp.pid ] && [ ! -e /run/checkers.pid ]; stop", of: session)
  }

  /// The entry point of a container: the log on standard error, and the end by SIGTERM is no failure.
  @Test func foreground() throws {
    let session = try session()
    try write(weight: 1, in: session)
    try output("keepalived -n -l -D -f conf 2> log & come 'Startup complete'", of: session)
    let answer = try session.answer("kill $(cat /run/keepalived.pid); wait $!")
    #expect(answer.exitCode == 0)
    #expect(try output("tail -n 1 log", of: session).contains("Stopped Keepalived"))
  }

  @Test func checks() throws {
    let session = try session()
    try write(weight: 1, in: session)
    try output("sed 's/lb_kind DR/lb_kind XX/' conf > bad; sed 's/eth0/eth7/' conf > gone", of: session)
    for (line, code) in [
      ("keepalived -t -f conf", 0), ("lbd keepalived -t -f conf", 0), ("keepalived -t -f bad", 4),
      ("keepalived -t -f gone", 5), ("keepalived --config-test -f none", 4),
    ] as [(String, Int32)] {
      let answer = try session.answer(line)
      #expect(answer.exitCode == code && answer.output == "", "\(line): \(answer)")
    }
    #expect(try session.answer("keepalived -tfindings -f bad").errors == "")
    #expect(try output("cat findings; stat -c %a findings", of: session).contains("lb_kind"))
    #expect(try session.answer("keepalived -v").errors.hasPrefix("Keepalived v2.2.7 "))
  }

  /// Configurations as people have them, where the interfaces they name are.
  @Test func filesOfTutorials() throws {
    let session = try session()
    try session.type(
      """
      ip link add ens33 type veth peer name far2; ip link set ens33 up; ip link set far2 up
      ip link add ens192 type veth peer name far3; ip link set ens192 up; ip link set far3 up
      ip addr add 192.168.200.2/24 dev ens33; ip route add default via 192.168.200.1
      """)
    let names = try FileManager.default.contentsOfDirectory(atPath: KeepalivedProcessTests.samples)
      .filter { $0.hasSuffix(".conf") }.sorted()
    #expect(names.count >= 9)
    for name in names {
      let path = "\(KeepalivedProcessTests.samples)/\(name)"
      try output("rm -f log; start -f \(path) && come 'Startup complete' && stop", of: session)
      #expect(try output("ls /run", of: session) == "", "\(name)")
    }
  }
}
