import Config
import Dataplane
import Testing
import Wire

@testable import Control

/// Services and the network become what workers read.
struct SnapshotAssemblerTests {
  private func assembler(_ lines: String, _ topology: Topology = Samples.network) -> SnapshotAssembler {
    var timeouts = ConnectionTimeouts()
    timeouts.tcpSeconds = 11
    timeouts.tcpFinSeconds = 12
    timeouts.udpSeconds = 13
    return SnapshotAssembler(
      services: Samples.services(lines), topology: topology, ports: Samples.ports, timeouts: timeouts)
  }

  @Test func interfacesAndTimeoutsAreThere() {
    let description = assembler("").assemble().description
    #expect(description.interfaces.map(\.mtu) == [1500, 1400])
    #expect(description.interfaces.map { $0.ipv4?.description } == ["10.1.0.1", "10.2.0.1"])
    #expect(description.interfaces.map { $0.ipv6?.description } == [nil, "fd00:2::1"], "no link-local source")
    #expect(description.timeouts.tcp[1] == 11 && description.timeouts.tcp[4] == 12 && description.timeouts.udp == 13)
    #expect(description.timeouts.tcp[2] == 120, "what cannot be set stays")
  }

  @Test func serversHaveTheirNextHops() {
    let result = assembler(
      """
      -A -t 10.1.0.100:80 -s rr
      -a -t 10.1.0.100:80 -r 10.2.0.11 -g -w 3 -x 9 -y 5
      -a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m
      -a -t 10.1.0.100:80 -r 10.3.0.9 -i
      -a -t 10.1.0.100:80 -r [fd00:3::9]:80 -i
      """
    ).assemble()
    let servers = result.description.servers
    #expect(servers.map(\.number) == [0, 1, 2, 3])
    #expect(servers.map(\.method) == [.directRouting, .masquerading, .tunnelling, .tunnelling])
    #expect(servers.map(\.nextHop.state) == [.resolved, .unresolved, .resolved, .resolved])
    #expect(servers.map { $0.tunnelSource?.description } == [nil, nil, "10.1.0.100", "fd00:2::1"])
    #expect(servers.map(\.port) == [80, 8080, 80, 80])
    #expect(servers.map { $0.endpoint != 0 } == [false, true, false, false])
    #expect(servers[0].weight == 3 && servers[0].upperThreshold == 9 && servers[0].lowerThreshold == 5)
    // The server's neighbour, and the gateway of a route that no server uses yet.
    #expect(result.missing == [.init(address: Samples.address("10.2.0.12"), link: 2)])
    #expect(result.notes == [])
    #expect(result.description.services[0].servers == [3, 2, 1, 0], "newest first")
  }

  /// Answers of real servers that are this host: where from, by method and kind of service.
  @Test(
    arguments: [
      ("-A -t 10.1.0.100:80", "-a -t 10.1.0.100:80 -r 10.2.0.1:8080 -m", ["10.2.0.1:8080/TCP"]),
      ("-A -t 10.1.0.100:80", "-a -t 10.1.0.100:80 -r 10.2.0.1:80 -g", ["10.1.0.100:80/TCP"]),
      ("-A -t 10.1.0.100:80", "-a -t 10.1.0.100:80 -r 10.2.0.11:80 -g", []),
      ("-A -f 5", "-a -f 5 -r 10.2.0.1:0 -g", ["10.1.0.100:0/UDP", "10.1.0.100:80/TCP", "10.1.0.100:81/TCP"]),
      ("-A -f 5", "-a -f 5 -r 10.2.0.1:0 -i", ["10.1.0.100:0/UDP", "10.1.0.100:80/TCP", "10.1.0.100:81/TCP"]),
      ("-A -f 5", "-a -f 5 -r 10.2.0.1:80 -m", ["10.2.0.1:80/SCTP", "10.2.0.1:80/TCP", "10.2.0.1:80/UDP"]),
      ("-A -f 6", "-a -f 6 -r 10.2.0.1:0 -g", []),
    ] as [(String, String, [String])]) func answersOfLocalServers(
      row: (service: String, server: String, expected: [String])
    ) throws
  {
    var assembler = assembler("\(row.service) -s rr\n\(row.server)")
    assembler.markRules = try MarkedTrafficTests.rules(
      "to 10.1.0.100 protocol tcp port 80-81 mark 5\nto 10.1.0.100 protocol udp mark 5")
    let answers = assembler.answers(assembler.assemble().description)
    #expect(answers.allSatisfy { $0.side == .source && $0.isAnyPort == ($0.port == 0) })
    #expect(answers.map { "\($0.address):\($0.port)/\($0.transport.name)" }.sorted() == row.expected)
  }

  @Test func gatewaysAreAskedForAheadOfTraffic() {
    var topology = Samples.network
    topology.neighbours[.init(address: Samples.address("10.1.0.254"), link: 1)] = nil
    let missing = assembler("", topology).assemble().missing
    #expect(missing == [.init(address: Samples.address("10.1.0.254"), link: 1)])
  }

  /// Both directions: clients connect to any port of the VIP's, servers send from any port of theirs.
  @Test(arguments: [
    ("off", [], false, [], []), ("on", [21], true, [], ["10.2.0.11", "10.2.0.13", "fd00:2::11"]),
    ("on for another port", [2121], true, ["10.1.0.102"], ["10.2.0.12"]),
    ("off again", [21, 2121], false, ["10.1.0.102"], ["10.2.0.11", "10.2.0.12", "10.2.0.13", "fd00:2::11"]),
  ])
  func dataConnectionsOfFTPAreOurs(
    name: String, ports: [UInt16], isOn: Bool, vips: [String], servers: [String]
  ) throws {
    var network = Samples.network
    for address in ["10.1.0.101/32", "10.1.0.102/32", "fd00:1::100/128"] {
      for edit in try TopologyText.parse(line: "ip addr add \(address) dev eth0").get() {
        #expect(network.apply(edit) == nil)
      }
    }
    var services = Samples.services(
      """
      -A -t 10.1.0.101:21 -s rr
      -a -t 10.1.0.101:21 -r 10.2.0.11:2100 -m
      -a -t 10.1.0.101:21 -r 10.2.0.13 -m
      -a -t 10.1.0.101:21 -r 10.2.0.14 -g
      -A -t 10.1.0.102:2121 -s rr
      -a -t 10.1.0.102:2121 -r 10.2.0.12 -m
      -A -u 10.1.0.100:21 -s rr
      -a -u 10.1.0.100:21 -r 10.2.0.15 -m
      -A -t 10.1.0.100:80 -s rr
      -a -t 10.1.0.100:80 -r 10.2.0.16 -m
      -A -t [fd00:1::100]:21 -s rr
      -a -t [fd00:1::100]:21 -r [fd00:2::11]:21 -m
      """)
    services.noteHelped(ports)
    var settings = IPVSSettings()
    if isOn { settings.ftpPorts = HelperPorts(ports) }
    let assembler = SnapshotAssembler(
      services: services, topology: network, ports: Samples.ports, timeouts: ConnectionTimeouts(), settings: settings)
    let ours = assembler.ours(assembler.assemble().description).filter { $0.isAnyPort && $0.transport == .tcp }
    // Port 21 is special without the helper, too: IPVS schedules data connections of persistent services by it.
    let destinations = Set(ours.filter { $0.side == .destination }.map(\.address.description))
    #expect(destinations == Set(vips + ["10.1.0.101", "fd00:1::100"]), "\(name)")
    #expect(ours.filter { $0.side == .source }.map(\.address.description) == servers, "\(name)")
  }

  /// Its records stay, since connections may refer to them; its packets are not taken.
  @Test func serviceOnAnAddressOfSomeoneElseIsNotOurs() {
    let assembler = assembler("-A -t 10.1.0.200:80\n-a -t 10.1.0.200:80 -r 10.2.0.11:80")
    let result = assembler.assemble()
    #expect(result.description.services.map(\.isOurs) == [false] && result.description.servers.count == 1)
    #expect(assembler.ours(result.description).isEmpty)
    #expect(
      result.notes == [
        "TCP 10.1.0.200:80: 10.1.0.200 is not an address of this host, its traffic is left to the kernel"
          + " (ip addr add 10.1.0.200/32 dev …)"
      ])
  }

  @Test func unreachableServerIsNoted() {
    let result = assembler("-A -t 10.1.0.100:80\n-a -t 10.1.0.100:80 -r [2001:db8::1]:80 -i").assemble()
    #expect(result.description.servers[0].nextHop.state == .unreachable)
    #expect(result.notes == ["TCP 10.1.0.100:80 -> [2001:db8::1]:80: no route over an interface of lbd's"])
  }

  @Test func deletedThingsStayForTheirConnections() {
    let result = assembler(
      "-A -t 10.1.0.100:80\n-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m\n-a -t 10.1.0.100:80 -r 10.2.0.12:80 -m\n"
        + "-d -t 10.1.0.100:80 -r 10.2.0.12:80\n-A -t 10.1.0.100:81\n-D -t 10.1.0.100:81"
    ).assemble()
    #expect(result.description.services.map(\.isActive) == [true, false])
    #expect(result.description.services[0].servers == [0])
    #expect(result.description.servers.map(\.isAvailable) == [true, false])
  }

  @Test func routesAreInOrderOfPreference() {
    let routes = assembler("").assemble().description.routes
    let own = routes.filter { $0.nextHop.state == .local }.map { $0.prefix.description }
    #expect(own.contains("10.1.0.100/32") && own.contains("10.2.0.1/32") && own.contains("fd00:2::1/128"))
    let lengths = routes.dropFirst(own.count).map(\.prefix.length)
    #expect(lengths == lengths.sorted(by: >))
    let connected = routes.first { $0.prefix.description == "10.2.0.1/24" }
    #expect(connected?.isOnLink == true && connected?.nextHop.interface == 1)
    let gateway = routes.first { $0.prefix.description == "10.3.1.0/24" }
    #expect(gateway?.isOnLink == false && gateway?.nextHop.mtu == 1300)
  }

  @Test func sameInputGivesTheSameSnapshot() {
    var topology = Samples.network
    // One link-local address on every link, as routers have.
    for link in [Int32(1), 2, 3] {
      topology.neighbours[.init(address: Samples.address("fe80::9"), link: link)] = EthernetAddress(UInt64(link))
    }
    let lines = "-A -t 10.1.0.100:80\n-A -u 10.1.0.100:53\n-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m"
    let first = assembler(lines, topology).assemble().description
    for _ in 0..<8 {
      var again = topology
      // Another history of the same dictionary, so another order in memory.
      again.neighbours.reserveCapacity(Int.random(in: 16...512))
      #expect("\(assembler(lines, again).assemble().description)" == "\(first)")
    }
  }

  @Test func oursNamesEverythingThatIsToBeTaken() {
    let assembler = assembler(
      "-A -t 10.1.0.100:80\n-a -t 10.1.0.100:80 -r 10.2.0.11:8080 -m\n-a -t 10.1.0.100:80 -r 10.2.0.12:80 -g")
    let ours = Set(assembler.ours(assembler.assemble().description))
    #expect(
      ours == [
        .init(address: Samples.address("10.1.0.100"), port: 80, transport: .tcp, side: .destination),
        .init(address: Samples.address("10.2.0.11"), port: 8080, transport: .tcp, side: .source),
      ])
  }

  @Test func oursNamesLocalAddressesWithTheirPorts() {
    var services = Samples.services("-A -t 10.1.0.100:80")
    services.setLocalAddresses([Samples.address("10.2.0.21")], of: Samples.tcp("10.1.0.100:80"))
    let assembler = SnapshotAssembler(
      services: services, topology: Samples.network, ports: Samples.ports, timeouts: ConnectionTimeouts())
    #expect(
      assembler.ours(assembler.assemble().description).contains(
        .init(
          address: Samples.address("10.2.0.21"), transport: .tcp, side: .destination, localPorts: Defaults.localPorts)))
  }

  @Test func oursNamesTheServersOfTunnels() {
    let assembler = assembler(
      """
      -A -t 10.1.0.100:80
      -a -t 10.1.0.100:80 -r 10.2.0.11 -i
      -a -t 10.1.0.100:80 -r [fd00:2::11]:80 -i --tun-type gre
      -a -t 10.1.0.100:80 -r 10.2.0.12 -g
      """)
    let tunnels = assembler.ours(assembler.assemble().description).filter(\.isTunnel)
    #expect(tunnels.map(\.address) == ["10.2.0.11", "fd00:2::11"].map(Samples.address))
    #expect(tunnels.allSatisfy { $0.side == .source })
  }

  @Test func encapsulations() {
    let servers = assembler(
      """
      -A -t 10.1.0.100:80
      -a -t 10.1.0.100:80 -r 10.2.0.11 -i
      -a -t 10.1.0.100:80 -r 10.2.0.12 -i --tun-type gre
      -a -t 10.1.0.100:80 -r 10.2.0.13 -i --tun-type gre --tun-csum
      -a -t 10.1.0.100:80 -r 10.2.0.14 -i --tun-type gue --tun-port 6080
      -a -t 10.1.0.100:80 -r 10.2.0.15 -i --tun-type gue --tun-port 6081 --tun-csum
      -a -t 10.1.0.100:80 -r 10.2.0.16 -i --tun-type gue --tun-port 6082 --tun-remcsum
      """
    ).assemble().description.servers
    #expect(
      servers.map(\.encapsulation) == [
        .ipip, .gre(hasChecksum: false), .gre(hasChecksum: true), .gue(port: 6080, hasChecksum: false),
        .gue(port: 6081, hasChecksum: true), .gue(port: 6082, hasChecksum: true),
      ])
  }
}
