import Config
import Dataplane
import Testing
import Wire

@testable import Control

/// A server's method becomes FULLNAT, or ceases to be, while it has connections.
struct ServerSuccessionTests {
  private static let key = Samples.tcp("10.1.0.100:80")
  private static let start = """
    -A -t 10.1.0.100:80 -s rr
    -a -t 10.1.0.100:80 -r 10.2.0.11:80 -m
    -a -t 10.1.0.100:80 -r 10.2.0.12:80 -m
    """
  private static func edit(_ words: String) -> String { "-e -t 10.1.0.100:80 -r 10.2.0.11:80 \(words)" }

  private func server(_ services: VirtualServices) -> VirtualServices.Server? {
    services.numbers(ServerSuccessionTests.key).compactMap { services.servers[$0] }
      .first { $0.spec.endpoint == Samples.endpoint("10.2.0.11:80") }
  }

  @Test func numberChangesWithTheMethod() throws {
    var services = Samples.services(ServerSuccessionTests.start)
    let first = try #require(server(services))
    _ = services.takeChanges()
    for words in ["-m -w 3", "-g", "-i", "-m"] {
      try services.run(ServerSuccessionTests.edit(words))
      #expect(server(services)?.number == first.number, "\(words): all one to connections")
    }
    try services.run(ServerSuccessionTests.edit("-b -w 5"))
    let second = try #require(server(services))
    #expect(second.number != first.number && second.method == .fullNAT && second.formers == [first.number])
    #expect(second.endpoint == first.endpoint && second.age == first.age)
    let former = try #require(services.servers[first.number])
    #expect(former.isAvailable && former.method == .masquerading && former.successor == second.number)
    #expect(former.spec.weight == 5)
    #expect(services.numbers(ServerSuccessionTests.key).firstIndex(of: second.number) == 1, "where it was")
    #expect(services.takeChanges().renewed == [second.number])
    try services.run(ServerSuccessionTests.edit("-g"))
    let third = try #require(server(services))
    #expect(third.number == first.number && third.method == .directRouting, "its former number again")
    #expect(third.formers == [second.number] && third.successor == nil)
    #expect(services.servers[second.number]?.successor == first.number)
    #expect(services.takeChanges().renewed.isEmpty)
  }

  @Test func formerNumbersShareTheServersFate() throws {
    var services = Samples.services(ServerSuccessionTests.start)
    let first = try #require(server(services)).number
    try services.run(ServerSuccessionTests.edit("-b"))
    let second = try #require(server(services)).number
    try services.run("-d -t 10.1.0.100:80 -r 10.2.0.11:80")
    #expect([first, second].allSatisfy { services.servers[$0]?.isAvailable == false })
    try services.run("-a -t 10.1.0.100:80 -r 10.2.0.11:80 -b")
    #expect(server(services)?.number == second && services.servers[first]?.isAvailable == true)
    try services.run("-D -t 10.1.0.100:80")
    #expect([first, second].allSatisfy { services.servers[$0]?.isAvailable == false })
    try services.run("-A -t 10.1.0.100:80 -s rr")
    try services.run("-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m")
    #expect(server(services)?.number == first && services.servers[second]?.successor == first)
    #expect(services.servers[second]?.isAvailable == true)
  }

  /// A number is free when nothing refers to it: a former one before its server, whose counters keep what it was sent.
  @Test func formerNumbersAreReclaimed() throws {
    var services = Samples.services(ServerSuccessionTests.start)
    let first = try #require(server(services)).number
    try services.run(ServerSuccessionTests.edit("-b"))
    let second = try #require(server(services)).number
    func raw(_ number: UInt16) -> ServerCounters {
      var counters = ServerCounters()
      counters.connections = number == first ? 100 : number == second ? 7 : 0
      return counters
    }
    #expect(services.counters(raw: raw).servers[second]?.connections == 107)
    services.reclaim(isUnused: { $0 != first }, counters: raw)
    #expect(services.servers.count == 3)
    try services.run("-d -t 10.1.0.100:80 -r 10.2.0.11:80")
    services.reclaim(isUnused: { $0 != first }, counters: raw)
    #expect(services.servers.count == 3, "the server stays as long as its former number does")
    try services.run("-a -t 10.1.0.100:80 -r 10.2.0.11:80 -b")
    services.reclaim(isUnused: { _ in true }, counters: raw)
    #expect(services.servers[first] == nil && server(services)?.formers == [])
    let sums = services.counters(raw: { $0 == first ? ServerCounters() : raw($0) })
    #expect(sums.servers[second]?.connections == 107)
    #expect(sums.services[try #require(services.service(ServerSuccessionTests.key)).number]?.connections == 107)
    try services.run("-d -t 10.1.0.100:80 -r 10.2.0.11:80")
    services.reclaim(isUnused: { _ in true }, counters: raw)
    #expect(services.servers.count == 1)
  }

  @Test func numbersRunOut() throws {
    var services = VirtualServices(endpointCount: 3, count: 2)
    for line in ServerSuccessionTests.start.split(separator: "\n").prefix(3) { try services.run(String(line)) }
    let before = try #require(server(services))
    _ = services.takeChanges()
    for _ in 0..<3 {
      #expect(throws: EditError.tooMany) { try services.run(ServerSuccessionTests.edit("-b -w 9")) }
    }
    #expect(server(services)?.number == before.number && server(services)?.spec.weight == 1)
    #expect(services.takeChanges().renewed.isEmpty)
  }

  // MARK: - Packets

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
    func request(_ port: UInt16, _ flags: UInt8 = TCP.ack) throws -> (from: Endpoint, to: Endpoint, station: UInt8)? {
      let frame = FrameBuilder(from: EthernetAddress("02:00:00:00:01:fe")!, to: EthernetAddress("02:00:00:00:01:01")!)
        .ip(from: Stage.client, to: Stage.virtual).tcp(from: port, to: 80, flags: flags).frame
      guard let sent = try send(frame) else { return nil }
      return (Stage.end(sent, address: 26, port: 34), Stage.end(sent, address: 30, port: 36), sent[5])
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

  /// The method of a connection's request, as the server sees it.
  private func method(_ request: (from: Endpoint, to: Endpoint, station: UInt8)?) -> String {
    guard let request else { return "none" }
    if request.from.address == Stage.local { return "-b" }
    return request.to.address == Stage.virtual ? "-g" : "-m"
  }

  private static let pairs = ["-m", "-g", "-i"].flatMap { [($0, "-b"), ("-b", $0)] }

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
        if words == "-i" {
          #expect(request != nil && request?.station == 0x0b)
          continue
        }
        #expect(method(request) == words, "\(client)")
        guard let request, words != "-g" else { continue }
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
    let counts = try #require(stage.listing.services.servers.values.first { $0.successor == nil })
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
          if words != "-i" { #expect(method(request) == words) }
        }
      }
    }
    for _ in 0..<4 { stage.sleep(2000) }
    #expect(stage.listing.connections(nowNanoseconds: 0).split(separator: "\n").count == 2, "no template is left")
    #expect(stage.isBalanced)
  }
}
