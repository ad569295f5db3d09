import Testing
import Wire

@testable import Config

@Suite struct IptablesTextTests {
  private func parse(_ line: String) throws -> Result<IptablesText.Line, IptablesText.Failure> {
    try #require(IptablesText.parse(line: line))
  }

  static let rows: [(line: String, edits: [String])] = [
    ("-A PREROUTING -j MARK --set-mark 1", ["append 4 ffffffff:1"]),
    (
      "-A PREROUTING -i eth0 -d 10.1.0.100 -p tcp -m multiport --dports 80,443 -j MARK --set-mark 1",
      ["append 4 in eth0 to 10.1.0.100/32 proto 6 port 80-80,443-443 ffffffff:1"]
    ),
    (
      "-A PREROUTING -d 10.9.0.0/16 -p tcp --dport 80 -j MARK --set-mark 1",
      ["append 4 to 10.9.0.0/16 proto 6 port 80-80 ffffffff:1"]
    ),
    (
      "-I PREROUTING -s 10.1.2.3/255.255.0.0 -p udp -m udp --sport :1023 --dport 5060:5070 -j MARK --set-mark 0x10/0xf0",
      ["insert 1 4 from 10.1.0.0/16 proto 17 source port 0-1023 port 5060-5070 f0:10"]
    ),
    ("-I PREROUTING 3 -j MARK --set-xmark 0x1/0xffffffff", ["insert 3 4 ffffffff:1"]),
    ("-R PREROUTING 2 -j MARK --or-mark 8", ["replace 2 4 8:8"]),
    ("-A PREROUTING -j MARK --and-mark 0xff", ["append 4 ffffff00:0"]),
    ("-A PREROUTING -j MARK --xor-mark 010", ["append 4 0:8"]),
    ("-A PREROUTING -j MARK --set-mark 3/1", ["append 4 3:3"]),
    (
      "-A PREROUTING ! -i lo ! -s 10.0.0.0/8 ! -p icmp -j MARK --set-mark 2",
      ["append 4 in not lo from not 10.0.0.0/8 proto not 1 ffffffff:2"]
    ),
    ("-A PREROUTING -i ! eth+ -j MARK --set-mark 2", ["append 4 in not eth+ ffffffff:2"]),
    (
      "-A PREROUTING -p sctp ! --dport 9 -m comment --comment 'not nine' -j MARK --set-mark 2",
      ["append 4 proto 132 port not 9-9 ffffffff:2"]
    ),
    (
      "-A PREROUTING -d 10.0.0.1,10.0.0.2 -s 10.3.0.0/16,10.4.0.0/16 -j MARK --set-mark 2",
      [
        "append 4 from 10.3.0.0/16 to 10.0.0.1/32 ffffffff:2", "append 4 from 10.3.0.0/16 to 10.0.0.2/32 ffffffff:2",
        "append 4 from 10.4.0.0/16 to 10.0.0.1/32 ffffffff:2", "append 4 from 10.4.0.0/16 to 10.0.0.2/32 ffffffff:2",
      ]
    ),
    ("--append PREROUTING --protocol=all --jump MARK --set-mark=7", ["append 4 ffffffff:7"]),
    ("-w -A PREROUTING -ptcp --dport=80 -jMARK --set-mark 7", ["append 4 proto 6 port 80-80 ffffffff:7"]),
    ("-w 5 -A PREROUTING -c 0 0 -p 17 -j MARK --set-mark 7", ["append 4 proto 17 ffffffff:7"]),
    ("-D PREROUTING -p tcp -j MARK --set-mark 1", ["delete 4 proto 6 ffffffff:1"]),
    ("-D PREROUTING 4", ["delete number 4 ipv4"]),
    ("-F PREROUTING", ["flush ipv4"]),
    ("-F", ["flush ipv4"]),
  ]

  @Test(arguments: rows.indices) func readsRules(row: Int) throws {
    let (line, edits) = IptablesTextTests.rows[row]
    for program in ["iptables", "/sbin/iptables-legacy", "iptables-nft"] {
      let found = try parse("\(program) -t mangle \(line)").get()
      guard case .edits(let list) = found else {
        Issue.record("\(line): \(found)")
        continue
      }
      #expect(list.map(summary) == edits)
    }
  }

  @Test func readsIPv6() throws {
    let line = "ip6tables -t mangle -A PREROUTING -d fd00:1::100/64 -p tcp --dport 80 -j MARK --set-mark 1"
    #expect(
      try parse(line).get()
        == .edits([.append(try #require(markRule("family inet6 to fd00:1::/64 protocol tcp port 80 mark 1")))]))
    #expect(try parse("ip6tables-legacy -t mangle -F").get() == .edits([.flush(.ipv6)]))
  }

  /// What says nothing about marks.
  @Test(arguments: [
    "iptables -t nat -F", "iptables -t nat -X", "iptables -F", "iptables -I OUTPUT -p vrrp -j DROP",
    "iptables -t nat -A POSTROUTING -s 192.168.31.0/24  -j MASQUERADE", "iptables -t mangle -L -n",
    "iptables -t mangle -P PREROUTING ACCEPT",
    "iptables -t mangle -A OUTPUT -m owner --uid-owner 5 -j MARK --set-mark 1",
    "iptables -A INPUT -m state --state NEW -p tcp --dport 22 -j ACCEPT", "iptables --table=raw -F",
  ])
  func recognisesWhatIsNotAboutMarks(line: String) throws {
    guard case .success(.noEffect) = try parse(line) else {
      Issue.record("\(line): \(try parse(line))")
      return
    }
  }

  @Test(arguments: [
    "", "# iptables -F", "ipvsadm -C", "ip addr", "iptables-save", "echo iptables", "service iptables save",
  ])
  func leavesOtherLinesAlone(line: String) {
    #expect(IptablesText.parse(line: line) == nil)
  }

  @Test(arguments: [
    ("", "no command"), ("-A", "needs a chain"), ("-A PREROUTING", "no target"),
    ("-A PREROUTING -j DROP", "target 'DROP'"), ("-A PREROUTING -j MARK", "needs --set-mark"),
    ("-A PREROUTING --set-mark 1 -j MARK", "needs '-j MARK' before"),
    ("-A PREROUTING -j MARK --set-mark x", "not a mark"),
    ("-A PREROUTING -j MARK --set-mark 4294967296", "not a mark"),
    ("-A PREROUTING -j MARK --set-mark -1", "not a mark"),
    ("-A PREROUTING -j MARK --set-mark +1", "not a mark"), ("-A PREROUTING -j MARK --set-mark 0x", "not a mark"),
    ("-A PREROUTING -j MARK --or-mark 1/2", "not a mark"),
    ("-A PREROUTING -j MARK --set-mark 1 --or-mark 2", "set twice"),
    ("-A PREROUTING -j MARK --set-mark", "needs a value"),
    ("-A PREROUTING -i a/b -j MARK --set-mark 1", "interface's name"),
    ("-A PREROUTING -s www.example.com -j MARK --set-mark 1", "names are not looked up"),
    ("-A PREROUTING -s 10.0.0.0/33 -j MARK --set-mark 1", "not an IPv4 address"),
    ("-A PREROUTING -s 10.0.0.0/255.0.255.0 -j MARK --set-mark 1", "not an IPv4 address"),
    ("-A PREROUTING -s fd00::1 -j MARK --set-mark 1", "not an IPv4 address"),
    ("-A PREROUTING ! -s 10.0.0.1,10.0.0.2 -j MARK --set-mark 1", "not with a list"),
    ("-A PREROUTING -p tpc -j MARK --set-mark 1", "not a protocol"),
    ("-A PREROUTING -p 256 -j MARK --set-mark 1", "not a protocol"),
    ("-A PREROUTING --dport 80 -j MARK --set-mark 1", "ports need -p tcp"),
    ("-A PREROUTING ! -p tcp --dport 80 -j MARK --set-mark 1", "ports need -p tcp"),
    ("-A PREROUTING -p icmp --dport 80 -j MARK --set-mark 1", "ports need -p tcp"),
    ("-A PREROUTING -p tcp --dport http -j MARK --set-mark 1", "names are not looked up"),
    ("-A PREROUTING -p tcp --dport 80,81 -j MARK --set-mark 1", "not a port"),
    ("-A PREROUTING -p tcp --dport 81:80 -j MARK --set-mark 1", "not a port"),
    ("-A PREROUTING -p tcp --dport 65536 -j MARK --set-mark 1", "not a port"),
    ("-A PREROUTING -p tcp --dports 80,81 -j MARK --set-mark 1", "needs '-m multiport'"),
    ("-A PREROUTING -p tcp -m multiport --dports 1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16 -j MARK", "at most 15"),
    ("-A PREROUTING -m conntrack --ctstate NEW -j MARK --set-mark 1", "match 'conntrack'"),
    ("-A PREROUTING -o eth0 -j MARK --set-mark 1", "option '-o'"),
    ("-A PREROUTING -s 10.0.0.1 -s 10.0.0.2 -j MARK --set-mark 1", "given twice"),
    ("-A PREROUTING -p tcp --dport 80 -m multiport --dports 81 -j MARK --set-mark 1", "given twice"),
    ("-A PREROUTING -A PREROUTING -j MARK --set-mark 1", "second command"),
    ("-A PREROUTING nonsense", "belongs to no option"),
    ("-A PREROUTING -j MARK --set-mark 1 !", "nothing behind"), ("-A PREROUTING -m ! tcp", "cannot be negated"),
  ])
  func refuses(line: String, message: String) throws {
    guard case .failure(let failure) = try parse("iptables -t mangle \(line)") else {
      Issue.record("\(line) is accepted")
      return
    }
    #expect(failure.description.contains(message), "\(failure)")
  }

  @Test func unclosedQuoteIsNamed() throws {
    #expect(throws: IptablesText.Failure.self) {
      try parse("iptables -t mangle -A PREROUTING -m comment --comment 'x").get()
    }
  }

  /// Whatever the words are, an answer comes.
  @Test func anyWordsHaveAnAnswer() {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    print("iptables seed \(seed)")
    var state = seed
    let words =
      IptablesTextTests.rows.flatMap { $0.line.split(separator: " ").map(String.init) } + [
        "!", "", "-", "--", "=", "/",
      ]
    for _ in 0..<5000 {
      var line = ["iptables", "-t", "mangle"]
      for _ in 0..<12 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        line.append(words[Int(state >> 33) % words.count])
      }
      _ = IptablesText.parse(line)
    }
  }

  private func summary(_ edit: MarkRuleList.Edit) -> String {
    switch edit {
    case .append(let rule): "append \(text(of: rule))"
    case .insert(let rule, let number): "insert \(number) \(text(of: rule))"
    case .replace(let rule, let number): "replace \(number) \(text(of: rule))"
    case .delete(let rule): "delete \(text(of: rule))"
    case .deleteNumber(let number, let family): "delete number \(number) \(family)"
    case .flush(let family): "flush \(family)"
    }
  }
}
