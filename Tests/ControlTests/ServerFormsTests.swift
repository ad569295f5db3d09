import Config
import Dataplane
import Testing
import Wire

@testable import Control

/// A server's method is edited while it has connections.
struct ServerFormsTests {
  private static let key = Samples.tcp("10.1.0.100:80")
  private static let start = """
    -A -t 10.1.0.100:80 -s rr
    -a -t 10.1.0.100:80 -r 10.2.0.11:80 -m
    -a -t 10.1.0.100:80 -r 10.2.0.12:80 -m
    """
  private static func edit(_ words: String) -> String { "-e -t 10.1.0.100:80 -r 10.2.0.11:80 \(words)" }

  private func server(_ services: VirtualServices) -> VirtualServices.Server? {
    services.numbers(ServerFormsTests.key).compactMap { services.servers[$0] }
      .first { $0.spec.endpoint == Samples.endpoint("10.2.0.11:80") }
  }

  /// A number per method, and one for all tunnels; the server's own stays in the list.
  @Test func numberChangesWithTheMethod() throws {
    var services = Samples.services(ServerFormsTests.start)
    let number = try #require(server(services)).number
    let endpoint = try #require(server(services)).forms[0].endpoint
    _ = services.takeChanges()
    var known: [UInt16] = [number]
    for (words, count) in [
      ("-m -w 3", 1), ("-g", 2), ("-i", 3), ("-m", 3), ("-i --tun-type gre", 3), ("-b -w 5", 4), ("-g", 4), ("-b", 4),
    ] {
      try services.run(ServerFormsTests.edit(words))
      let now = try #require(server(services))
      #expect(now.number == number && Set(now.forms.map(\.number)).count == count, "\(words)")
      #expect(Set(known).isSubset(of: now.forms.map(\.number)), "\(words)")
      #expect(services.takeChanges().renewed == now.forms.map(\.number).filter { !known.contains($0) }, "\(words)")
      #expect(now.forms.allSatisfy { $0.endpoint == ($0.method.translatesPorts ? endpoint : 0) }, "\(words)")
      known = now.forms.map(\.number)
    }
    #expect(server(services)?.method == .fullNAT && server(services)?.spec.weight == 1)
    #expect(services.numbers(ServerFormsTests.key).firstIndex(of: number) == 1, "where it was")
  }

  /// Another kind of tunnel is so for connections that there are, too; another method makes their tunnel IP in IP.
  @Test func aTunnelIsTheServers() throws {
    var services = Samples.services(ServerFormsTests.start)
    for (words, kind) in [
      ("-i --tun-type gue --tun-port 6080", Tunnel.Kind.gue(port: 6080)), ("-i --tun-type gre", .gre), ("-g", .ipip),
      ("-i --tun-type gre", .gre), ("-i", .ipip),
    ] {
      try services.run(ServerFormsTests.edit(words))
      let kinds = try #require(server(services)).forms.compactMap { form -> Tunnel.Kind? in
        if case .tunnelling(let tunnel) = form.method { tunnel.kind } else { nil }
      }
      #expect(kinds == [kind], "\(words)")
    }
  }

  /// A server that is removed and added again has its numbers again, whatever its method is then.
  @Test func formsAreTheServers() throws {
    var services = Samples.services(ServerFormsTests.start)
    try services.run(ServerFormsTests.edit("-b"))
    let before = try #require(server(services))
    try services.run("-d -t 10.1.0.100:80 -r 10.2.0.11:80")
    try services.run("-a -t 10.1.0.100:80 -r 10.2.0.11:80 -b")
    #expect(server(services)?.forms.map(\.number) == before.forms.map(\.number))
    try services.run("-D -t 10.1.0.100:80")
    try services.run("-A -t 10.1.0.100:80 -s rr")
    try services.run("-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m")
    #expect(server(services)?.forms.map(\.number) == before.forms.map(\.number).reversed())
  }

  /// A number is free when nothing refers to it: a former one before its server, whose counters keep what it was sent.
  @Test func numbersAreReclaimed() throws {
    var services = Samples.services(ServerFormsTests.start)
    let first = try #require(server(services)).number
    try services.run(ServerFormsTests.edit("-b"))
    let second = try #require(server(services)).forms[0].number
    try services.run(ServerFormsTests.edit("-g"))
    let third = try #require(server(services)).forms[0].number
    func raw(_ number: UInt16) -> ServerCounters {
      var counters = ServerCounters()
      counters.connections = number == first ? 100 : number == second ? 7 : 0
      return counters
    }
    #expect(services.counters(raw: raw).servers[first]?.connections == 107)
    services.reclaim(isUnused: { $0 == third }, counters: raw)
    #expect(server(services)?.forms.count == 3)
    services.reclaim(isUnused: { _ in true }, counters: raw)
    #expect(server(services)?.forms.map(\.number) == [third, first], "its own, and the present one")
    let sums = services.counters(raw: { $0 == second ? ServerCounters() : raw($0) })
    #expect(sums.servers[first]?.connections == 107)
    #expect(sums.services[try #require(services.service(ServerFormsTests.key)).number]?.connections == 107)
    try services.run("-d -t 10.1.0.100:80 -r 10.2.0.11:80")
    services.reclaim(isUnused: { $0 != first }, counters: raw)
    #expect(services.servers.count == 2, "the server stays as long as it has connections")
    services.reclaim(isUnused: { _ in true }, counters: raw)
    #expect(services.servers.count == 1)
    #expect(services.counters(raw: raw).services.values.map(\.connections) == [107])
  }

  @Test func numbersRunOut() throws {
    var services = VirtualServices(endpointCount: 3, count: 2)
    for line in ServerFormsTests.start.split(separator: "\n").prefix(3) { try services.run(String(line)) }
    let before = try #require(server(services))
    _ = services.takeChanges()
    for _ in 0..<3 {
      #expect(throws: EditError.tooMany) { try services.run(ServerFormsTests.edit("-b -w 9")) }
    }
    #expect(server(services)?.forms.map(\.number) == [before.number] && server(services)?.spec.weight == 1)
    #expect(services.takeChanges().renewed.isEmpty)
  }

  // MARK: - Packets

  /// What a server gets.
  private struct Request {
    var from: Endpoint
    var to: Endpoint
    var station: UInt8
    var isTunnelled: Bool

    /// As ipvsadm says it.
    var method: String {
      if isTunnelled { return "-i" }
      if from.address == Stage.local { return "-b" }
      return to.address == Stage.virtual ? "-g" : "-m"
    }
  }

  /// A director without a network, its client and its servers.
  private final class Stage {
    private let replay: Replay
    private var sent: [[UInt8]] = []
    private var input = 0
    static let client = Samples.address("172.16.1.1")
    static let virtual = Samples.address("10.1.0.100")
    static let local = Samples.address("10.2.0.200")

    init(_ lines: String) throws {
      replay = try Replay(connections: 1024)
      for line in """
      ip link set eth0 address 02:00:00:00:01:01 mtu 1500 up
      ip link set eth1 address 02:00:00:00:02:01 mtu 1500 up
      ip addr add 10.1.0.1/24 dev eth0
      ip addr add 10.1.0.100/32 dev eth0
      ip addr add 10.2.0.1/24 dev eth1
      ip addr add 10.2.0.200/32 dev eth1
      ip neigh replace 10.1.0.254 lladdr 02:00:00:00:01:fe dev eth0
      ip neigh replace 10.2.0.11 lladdr 02:00:00:00:02:0b dev eth1
      ip neigh replace 10.2.0.12 lladdr 02:00:00:00:02:0c dev eth1
      ip route add default via 10.1.0.254
      """.split(separator: "\n") {
        for edit in try TopologyText.parse(line: String(line)).get() { #expect(replay.apply(edit) == nil) }
      }
      for line in lines.split(separator: "\n") { try run(String(line)) }
      replay.onTransmit = { [unowned self] _, _, bytes in sent.append(Array(bytes)) }
    }

    @discardableResult
    func run(_ words: String) throws -> String {
      try replay.apply(try IpvsadmCommand.parse(words.split(separator: " ").map(String.init)).get())
    }

    func sleep(_ seconds: UInt64) { replay.advance(nanoseconds: seconds * 1_000_000_000) }

    var listing: Listing { replay.listing }
    var isBalanced: Bool { replay.report.statistics.isBalanced }

    private func send(_ frame: [UInt8]) throws -> [UInt8]? {
      sent = []
      input += 1
      try frame.withUnsafeBytes { try replay.feed($0, input: input) }
      replay.flush()
      return sent.first
    }

    /// What the server gets: from whom, to whom; nil when nothing was sent.
    func request(_ port: UInt16, _ flags: UInt8 = TCP.ack) throws -> Request? {
      let frame = FrameBuilder(from: EthernetAddress("02:00:00:00:01:fe")!, to: EthernetAddress("02:00:00:00:01:01")!)
        .ip(from: Stage.client, to: Stage.virtual).tcp(from: port, to: 80, flags: flags).frame
      guard let sent = try send(frame) else { return nil }
      return Request(
        from: Stage.end(sent, address: 26, port: 34), to: Stage.end(sent, address: 30, port: 36), station: sent[5],
        isTunnelled: sent[23] == IPProtocol.ipv4)
    }

    /// What the client gets.
    func reply(_ server: String, to near: Endpoint, _ flags: UInt8 = TCP.ack) throws -> (from: Endpoint, to: Endpoint)?
    {
      let server = Samples.endpoint(server)
      let frame = FrameBuilder(from: EthernetAddress("02:00:00:00:02:0b")!, to: EthernetAddress("02:00:00:00:02:01")!)
        .ip(from: server.address, to: near.address).tcp(from: server.port, to: near.port, flags: flags).frame
      guard let sent = try send(frame) else { return nil }
      return (Stage.end(sent, address: 26, port: 34), Stage.end(sent, address: 30, port: 36))
    }

    private static func end(_ frame: [UInt8], address: Int, port: Int) -> Endpoint {
      Endpoint(
        address: IPAddress(bytes: frame[address..<address + 4])!,
        port: UInt16(frame[port]) << 8 | UInt16(frame[port + 1]))
    }
  }

  private static let methods = ["-m", "-g", "-i", "-b"]
  private static let pairs = methods.flatMap { before in methods.filter { $0 != before }.map { (before, $0) } }

  /// Connections go on by the method they were opened by, both ways, and end when they should; new ones go by the new one.
  @Test(arguments: pairs) func connectionsGoOn(pair: (before: String, after: String)) throws {
    let (before, after) = pair
    let port = before == "-i" || after == "-i" || before == "-g" || after == "-g" ? 80 : 8080
    let stage = try Stage(
      """
      -A -t 10.1.0.100:80 -s rr
      --add-laddr -t 10.1.0.100:80 -z 10.2.0.200
      -a -t 10.1.0.100:80 -r 10.2.0.11:\(port) \(before)
      """)
    var nears: [UInt16: Endpoint] = [:]
    func verify(_ ports: Range<UInt16>, _ words: String, _ flags: UInt8 = TCP.ack) throws {
      for client in ports {
        let request = try stage.request(client, flags)
        #expect(request?.method == words, "\(client)")
        guard let request, ["-m", "-b"].contains(words) else { continue }
        if let near = nears[client] { #expect(near == request.from, "\(client)") }
        nears[client] = request.from
        let reply = try stage.reply(
          "10.2.0.11:\(port)", to: request.from, flags == TCP.syn ? TCP.syn | TCP.ack : TCP.ack)
        #expect(reply?.from == Samples.endpoint("10.1.0.100:80"))
        #expect(reply?.to == Endpoint(address: Stage.client, port: client), "\(client)")
      }
    }
    try verify(1000..<1010, before, TCP.syn)
    try verify(1000..<1010, before)
    try stage.run("-e -t 10.1.0.100:80 -r 10.2.0.11:\(port) \(after)")
    try verify(1000..<1010, before)
    try verify(2000..<2010, after, TCP.syn)
    try verify(2000..<2010, after)
    try stage.run("-e -t 10.1.0.100:80 -r 10.2.0.11:\(port) \(before)")
    try verify(3000..<3010, before, TCP.syn)
    try verify(1000..<1010, before)
    try verify(2000..<2010, after)
    let counts = try #require(stage.listing.services.servers.values.first)
    #expect(stage.listing.connections(of: counts).active + stage.listing.connections(of: counts).inactive == 30)
    try stage.run("-d -t 10.1.0.100:80 -r 10.2.0.11:\(port)")
    for client: UInt16 in [1000, 2000, 3000] { #expect(try stage.request(client) == nil, "the server is gone") }
    try stage.run("-a -t 10.1.0.100:80 -r 10.2.0.11:\(port) \(after)")
    try verify(1000..<1010, before)
    try verify(2000..<2010, after)
    stage.sleep(2000)
    stage.sleep(2000)
    #expect(stage.listing.connections(of: counts) == (0, 0))
    #expect(stage.listing.connections(nowNanoseconds: 0).split(separator: "\n").count == 2, "nothing is left")
    #expect(stage.isBalanced)
  }

  /// A client's template leads to the same server, by its new method.
  @Test(arguments: pairs) func clientsStay(pair: (before: String, after: String)) throws {
    let stage = try Stage(
      """
      -A -t 10.1.0.100:80 -s rr -p 300
      --add-laddr -t 10.1.0.100:80 -z 10.2.0.200
      -a -t 10.1.0.100:80 -r 10.2.0.11:80 \(pair.before)
      -a -t 10.1.0.100:80 -r 10.2.0.12:80 \(pair.before)
      """)
    let server = try #require(try stage.request(1000, TCP.syn)).station
    var port: UInt16 = 2000
    for _ in 0..<3 {
      for words in [pair.after, pair.before] {
        for number in [11, 12] { try stage.run("-e -t 10.1.0.100:80 -r 10.2.0.\(number):80 \(words)") }
        for _ in 0..<3 {
          port += 1
          let request = try stage.request(port, TCP.syn)
          #expect(request?.station == server)
          #expect(request?.method == words)
        }
      }
    }
    for _ in 0..<4 { stage.sleep(2000) }
    #expect(stage.listing.connections(nowNanoseconds: 0).split(separator: "\n").count == 2, "no template is left")
    #expect(stage.isBalanced)
  }
}
