import Testing
import Wire

@testable import Config

@Suite struct TopologyTextTests {
  private static func address(_ text: String) -> IPAddress { IPAddress(text)! }
  private static func prefix(_ text: String) -> IPPrefix { IPPrefix(text)! }
  private static let mac = EthernetAddress("02:00:00:00:01:fe")!

  static let rows: [(String, [TopologyEdit])] = [
    ("", []), ("# ip link set eth0 up", []),
    (
      "ip link set eth0 address 02:00:00:00:01:fe mtu 1500 up",
      [.setLink(name: "eth0", mac: mac, mtu: 1500, isUp: true)]
    ),
    ("ip link set dev eth0 down", [.setLink(name: "eth0", mac: nil, mtu: nil, isUp: false)]),
    ("ip link add name d0 address 02:00:00:00:01:fe type dummy", [.setLink(name: "d0", mac: mac, mtu: nil, isUp: nil)]),
    ("ip link add eth2", [.setLink(name: "eth2", mac: nil, mtu: nil, isUp: nil)]),
    ("ip link add link eth1 name eth1.100 type vlan id 100", [.addVLAN(name: "eth1.100", parent: "eth1", id: 100)]),
    ("ip link del eth1.100", [.removeLink(name: "eth1.100")]),
    ("ip addr add 10.1.0.1/24 dev eth0", [.addAddress(prefix("10.1.0.1/24"), device: "eth0")]),
    ("ip addr add 10.1.0.1/24 brd + dev eth0 scope global", [.addAddress(prefix("10.1.0.1/24"), device: "eth0")]),
    ("ip -6 addr add fd00::1/64 dev eth0 nodad", [.addAddress(prefix("fd00::1/64"), device: "eth0")]),
    ("ip addr del 10.1.0.1/24 dev eth0", [.removeAddress(prefix("10.1.0.1/24"), device: "eth0")]),
    (
      "ip route add default via 10.1.0.254",
      [.addRoute(prefix("0.0.0.0/0"), via: address("10.1.0.254"), device: nil, source: nil, mtu: nil)]
    ),
    (
      "ip -6 route add default via fd00::fe",
      [.addRoute(prefix("::/0"), via: address("fd00::fe"), device: nil, source: nil, mtu: nil)]
    ),
    (
      "ip route add default via fd00::fe dev eth0",
      [.addRoute(prefix("::/0"), via: address("fd00::fe"), device: "eth0", source: nil, mtu: nil)]
    ),
    (
      "ip route replace 10.9.0.0/16 via 10.2.0.254 dev eth1 src 10.2.0.1 mtu lock 1300 metric 5",
      [
        .addRoute(
          prefix("10.9.0.0/16"), via: address("10.2.0.254"), device: "eth1", source: address("10.2.0.1"), mtu: 1300)
      ]
    ),
    ("ip route del 10.9.0.0/16", [.removeRoute(prefix("10.9.0.0/16"), via: nil, device: nil)]),
    (
      "ip neigh replace 10.1.0.254 lladdr 02:00:00:00:01:fe dev eth0 nud permanent",
      [.addNeighbour(address("10.1.0.254"), mac, device: "eth0")]
    ),
    ("ip neigh del 10.1.0.254 dev eth0", [.removeNeighbour(address("10.1.0.254"), device: "eth0")]),
    ("sysctl -w net.ipv4.ip_forward=1", [.setSysctl(name: "net.ipv4.ip_forward", value: "1")]),
    (
      "sysctl -qw net/ipv4/vs/conntrack=1 a.b=",
      [.setIPVS(.conntrack, .number(1)), .setSysctl(name: "a.b", value: "")]
    ),
    (
      "sysctl -w net.ipv4.vs.sync_threshold=\"3 50\"", [.setIPVS(.syncThreshold, .threshold(3, period: 50))]
    ),
    ("ip route add local 10.9.0.0/16 dev lo", [.addLocalPrefix(prefix("10.9.0.0/16"))]),
    ("ip route del local 10.9.0.0/16 dev lo table local", [.removeLocalPrefix(prefix("10.9.0.0/16"))]),
    ("ip route add local 0.0.0.0/0 dev lo table 100", []),
    ("ip route add 10.9.0.0/16 via 10.1.0.254 table vpn", []),
    ("ip rule add fwmark 7 lookup 100", []),
  ]

  @Test(arguments: rows)
  func reads(line: String, edits: [TopologyEdit]) {
    #expect(TopologyText.parse(line: line) == .success(edits))
  }

  @Test(arguments: TopologyLines.all)
  func readsRecordedLine(line: String) throws {
    #expect(try !TopologyText.parse(line: line).get().isEmpty)
  }

  @Test(arguments: [
    ("ip", "link, addr, route or neigh is missing"), ("ip link", "add, del, set or replace is missing"),
    ("ip tunnel add x", "is not known here"), ("ip link set", "an interface's name is missing"),
    ("ip link set eth0 colour red", "'colour' is not a property of a link"),
    ("ip link set eth0 mtu 12", "'12' is not an MTU"),
    ("ip link set eth0 address 02:00", "'02:00' is not a MAC"), ("ip link set a/b up", "not an interface's name"),
    ("ip link add type vlan id 5", "no name"), ("ip link add name x type vlan id 5", "a VLAN needs"),
    ("ip link add link e name x type vlan id 4095", "'4095' is not a VLAN id"),
    ("ip addr add 10.0.0.1/33 dev eth0", "'10.0.0.1/33' is not ADDRESS/LENGTH"),
    ("ip addr add 10.0.0.1/24", "no device"),
    ("ip -6 addr add 10.0.0.1/24 dev eth0", "not ADDRESS/LENGTH"), ("ip addr show 10.0.0.1 dev eth0", "not add or del"),
    ("ip route add default", "leads nowhere"), ("ip route add default via", "an IP address is missing"),
    ("ip route add 10.0.0.0/8 via fd00::1", "of the family of 10.0.0.0/8"),
    ("ip route add x dev eth0", "'x' is not default"),
    ("ip neigh add 10.0.0.1 dev eth0", "no MAC"), ("ip neigh add 10.0.0.1 lladdr 02:00:00:00:00:01", "no device"),
    ("sysctl", "sets nothing"), ("sysctl -w a", "'a' is not NAME=VALUE"), ("sysctl -x a=1", "'-x' is not -w or -q"),
    ("ifconfig eth0 up", "'ifconfig' is not known"), ("ip 'addr", "unclosed quote"),
  ])
  func refuses(line: String, message: String) {
    guard case .failure(let failure) = TopologyText.parse(line: line) else {
      Issue.record("\(line) is read")
      return
    }
    #expect(failure.description.contains(message), "\(failure)")
  }
}
