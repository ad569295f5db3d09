import Foundation
import Testing

/// What the scripts need besides lbd.
private enum UserScripts {
  static let obstacle: String? = {
    if let obstacle = ProgramSession.obstacle { return obstacle }
    for program in ["/usr/sbin/ifconfig", "/usr/sbin/route", "/usr/sbin/nginx", "/usr/bin/curl"]
    where !FileManager.default.isExecutableFile(atPath: program) {
      return "needs \(program)"
    }
    return nil
  }()
}

/// Scripts from people's tutorials, as they are: the interfaces, addresses and paths in them are there, and behind
/// `/usr/sbin/ipvsadm` is lbd.
@Suite(.serialized, .enabled(if: UserScripts.obstacle == nil, "\(UserScripts.obstacle ?? "")"))
struct UserScriptTests {
  private static let scripts = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("ConfigTests/Samples").path

  /// Hosts on a bridge, each in a namespace of its own; `ens33` and `ens37` are the director's. Ours stands in `/usr/sbin`.
  private static let network = """
    mkdir sbin real
    mount --bind /usr/sbin real
    for f in real/*; do ln -s $PWD/$f sbin/; done; ln -sf $PWD/bin/ipvsadm sbin/ipvsadm; mount --bind sbin /usr/sbin
    mkdir -p /run/netns; mount -t tmpfs none /run/netns
    printf 'http 80/tcp\\n' > services; mount --bind services /etc/services
    printf '127.0.0.1 localhost\\n' > hosts; mount --bind hosts /etc/hosts
    for n in wire client rs1 rs2; do ip netns add $n; ip -n $n link set lo up; done
    ip -n wire link add front type bridge; ip -n wire link set front up
    ip -n wire link add back type bridge; ip -n wire link set back up
    join() { ip link add $2 type veth peer name $1-$2 netns wire; ip -n wire link set $1-$2 up master $3; }
    host() { join $1 eth0 $2; ip link set eth0 netns $1; ip -n $1 addr add $3 dev eth0; ip -n $1 link set eth0 up; }
    web() { mkdir $1; printf 'pid %s/pid; error_log %s/error; events {} http { access_log off; server { listen 80; return 200 "%s\\n"; } }' $PWD/$1 $PWD/$1 $1 > $1/conf; ip netns exec $1 nginx -p $PWD/$1 -c $PWD/$1/conf; }
    """

  /// Twelve connections of a client, as answers.
  private static let ask = "for n in $(seq 12); do ip netns exec client curl -s --max-time 5 http://"

  private func end(_ session: ProgramSession) {
    _ = try? session.answer("for n in rs1 rs2; do kill $(cat $n/pid); done")
  }

  @Test func directRouting() throws {
    let session = try ProgramSession(
      network: UserScriptTests.network + """

        join director ens33 front; ip addr add 192.168.31.10/24 dev ens33; ip link set ens33 up
        host client front 192.168.31.50/24; host rs1 front 192.168.31.21/24; host rs2 front 192.168.31.22/24
        web rs1; web rs2
        """)
    defer { end(session) }
    try session.startDirector()
    for host in ["rs1", "rs2"] {
      _ = try session.answer("ip netns exec \(host) bash \(UserScriptTests.scripts)/003-lvs_rs.sh")
    }
    let script = try session.answer("bash \(UserScriptTests.scripts)/003-lvs_dr.sh")
    #expect(script == Transcript.Answer())
    let answers = try session.answer("\(UserScriptTests.ask)192.168.31.100/; done | sort | uniq -c").output
    let log = try session.answer("cat log").output
    #expect(answers == "      6 rs1\n      6 rs2\n", "\(log)")
    let listing = try session.answer("ipvsadm -Ln").output.split(separator: "\n").suffix(3).map { $0.prefix(43) }
    #expect(
      listing == [
        "TCP  192.168.31.100:80 wrr", "  -> 192.168.31.21:80             Route   1",
        "  -> 192.168.31.22:80             Route   1",
      ])
  }

  @Test func translation() throws {
    let session = try ProgramSession(
      network: UserScriptTests.network + """

        join director ens33 front; ip addr add 192.168.0.20/24 dev ens33; ip link set ens33 up
        join director ens37 back; ip addr add 192.168.31.10/24 dev ens37; ip link set ens37 up
        host client front 192.168.0.50/24; host rs1 back 192.168.31.21/24; host rs2 back 192.168.31.22/24
        for n in rs1 rs2; do ip -n $n route add default via 192.168.31.10; done
        web rs1; web rs2
        """)
    defer { end(session) }
    try session.startDirector()
    // Without iptables the script complains, and goes on.
    #expect(try session.answer("bash \(UserScriptTests.scripts)/003-lvs_nat.sh").exitCode == 0)
    let answers = try session.answer("\(UserScriptTests.ask)192.168.0.20/; done | sort | uniq -c").output
    let log = try session.answer("cat log").output
    #expect(["     12 rs1\n", "     12 rs2\n"].contains(answers), "\(answers)\(log)")
    let lines = try session.answer("ipvsadm -lc").output.split(separator: "\n")
    #expect(lines.count == 2 + 13, "\(lines)")
    // As the tutorials show it: the template, and connections that end.
    #expect(
      lines.contains { $0.contains(" ASSURED     192.168.0.50:0     192.168.0.20:http  192.168.31.2") }, "\(lines)")
    #expect(lines.contains { $0.contains(" 192.168.0.20:http  192.168.31.2") && $0.hasSuffix(":http") })
    #expect(try session.answer("ipvsadm -ln").output.contains("TCP  192.168.0.20:80 wlc persistent 3\n"))
  }
}
