import Config
import HealthCheck
import Testing
import Wire

@testable import Control

/// Which servers serve, after what has happened.
struct ServiceStateTests {
  /// A service of three servers with two checks each, weights 2, 1 and 1, and a script of events.
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Lines of the virtual server.
    var service = ""
    /// `1- 0` is: the first server's check 0 fails; `1+ 0` that it succeeds; `1= 5` that its weight is 5.
    var events: [String] = []
    /// What is told on the way.
    var told: [String] = []
    /// Who serves in the end: number:weight, s is the sorry server.
    let serving: String
    var hasQuorum = true
  }

  static let sorry = "sorry_server 10.9.9.9 80"

  static let rows: [Row] = [
    Row(testDescription: "at the start", serving: "1:2 2:1 3:1"),
    Row(testDescription: "one check fails", events: ["2- 0"], told: ["down 2"], serving: "1:2 3:1"),
    Row(testDescription: "both checks fail, one told", events: ["2- 0", "2- 1"], told: ["down 2"], serving: "1:2 3:1"),
    Row(
      testDescription: "one of two comes back", events: ["2- 0", "2- 1", "2+ 0"], told: ["down 2"], serving: "1:2 3:1"),
    Row(
      testDescription: "both come back", events: ["2- 0", "2- 1", "2+ 0", "2+ 1"], told: ["down 2", "up 2"],
      serving: "1:2 2:1 3:1"),
    Row(
      testDescription: "all fail", events: ["1- 0", "2- 0", "3- 0"],
      told: ["down 1", "down 2", "down 3", "lost 0"], serving: "", hasQuorum: false),
    Row(
      testDescription: "all fail, with a sorry server", service: sorry, events: ["1- 0", "2- 0", "3- 0"],
      told: ["down 1", "down 2", "down 3", "lost 0"], serving: "s:1", hasQuorum: false),
    Row(
      testDescription: "one is back after that", service: sorry, events: ["1- 0", "2- 0", "3- 0", "3+ 0"],
      told: ["down 1", "down 2", "down 3", "lost 0", "up 3", "gained 1"], serving: "3:1"),
    Row(
      testDescription: "inhibited servers keep their places", service: "inhibit_on_failure", events: ["1- 0"],
      told: ["down 1"], serving: "1:0 2:1 3:1"),
    Row(
      testDescription: "inhibited servers beside the sorry server",
      service: "inhibit_on_failure\n" + sorry + "\nquorum 3",
      events: ["1- 0"], told: ["down 1", "lost 2"], serving: "1:0 2:0 3:0 s:1", hasQuorum: false),
    Row(
      testDescription: "living servers are out while the sorry server is in", service: sorry + "\nquorum 3",
      events: ["1- 0"], told: ["down 1", "lost 2"], serving: "s:1", hasQuorum: false),
    Row(
      testDescription: "without a sorry server the living go on", service: "quorum 3", events: ["1- 0"],
      told: ["down 1", "lost 2"], serving: "2:1 3:1", hasQuorum: false),
    Row(
      testDescription: "an inhibited sorry server is there from the start",
      service: sorry + "\nsorry_server_inhibit", serving: "1:2 2:1 3:1 s:0"),
    Row(
      testDescription: "hysteresis: not lost at once", service: "quorum 3\nhysteresis 1", events: ["1= 1", "1= 0"],
      told: ["1: 2 to 1", "1: 1 to 0"],
      serving: "1:0 2:1 3:1"),
    Row(
      testDescription: "hysteresis: lost below", service: "quorum 3\nhysteresis 1", events: ["1= 0", "2= 0"],
      told: ["1: 2 to 0", "2: 1 to 0", "lost 1"], serving: "1:0 2:0 3:1", hasQuorum: false),
    Row(
      testDescription: "hysteresis: regained above", service: "quorum 3\nhysteresis 1",
      events: ["1= 0", "2= 0", "1= 2", "2= 1"],
      told: ["1: 2 to 0", "2: 1 to 0", "lost 1", "1: 0 to 2", "2: 0 to 1", "gained 4"], serving: "1:2 2:1 3:1"),
    Row(
      testDescription: "no weight is no quorum", service: sorry, events: ["1= 0", "2= 0", "3= 0"],
      told: ["1: 2 to 0", "2: 1 to 0", "3: 1 to 0", "lost 0"],
      serving: "s:1", hasQuorum: false),
    Row(testDescription: "a weight below 0 is 0", events: ["1= -7"], told: ["1: 2 to 0"], serving: "1:0 2:1 3:1"),
    Row(testDescription: "alpha", service: "alpha", serving: "", hasQuorum: false),
    Row(
      testDescription: "alpha with a sorry server", service: "alpha\n" + sorry, serving: "s:1", hasQuorum: false),
    Row(
      testDescription: "alpha: up when every check has succeeded", service: "alpha", events: ["1+ 0", "1+ 1"],
      told: ["up 1", "gained 2"], serving: "1:2"),
    Row(
      testDescription: "alpha: inhibited", service: "alpha\ninhibit_on_failure", serving: "1:0 2:0 3:0",
      hasQuorum: false),
    Row(testDescription: "a stranger changes nothing", events: ["9- 0", "1- 7", "9= 5"], serving: "1:2 2:1 3:1"),
  ]

  private static func state(_ lines: String, check: String = "retry 1") throws -> ServiceState {
    let service = try service(lines, check: check)
    let definitions = CheckDefinitions(Configuration())
    return ServiceState(service, checks: service.realServers.map { definitions.all(of: $0, in: service) })
  }

  private static func service(_ lines: String, check: String = "retry 1") throws -> VirtualService {
    let servers = (1...3).map {
      "real_server 10.1.0.\($0) 80 {\nweight \($0 == 1 ? 2 : 1)\nTCP_CHECK {\n\(check)\n}\nPING_CHECK {\n}\n}\n"
    }
    let text = "virtual_server 10.0.0.1 80 {\nprotocol TCP\nlb_algo rr\nlb_kind NAT\n\(lines)\n\(servers.joined())}"
    return try #require(parseConfiguration(bytes: Array(text.utf8), file: "t").0.services.first)
  }

  private static func event(_ text: String) throws -> ServiceState.Event {
    let words = text.split(separator: " ")
    let server = try #require(Int(words[0].dropLast())) - 1
    let number = try #require(Int(words[1]))
    return words[0].hasSuffix("=")
      ? ServiceState.Event(server: server, check: 0, isWell: true, weight: .replace(number))
      : ServiceState.Event(server: server, check: number, isWell: words[0].hasSuffix("+"))
  }

  private static func text(_ change: ServiceState.Change) -> String {
    switch change {
    case .serverUp(let server): "up \(server + 1)"
    case .serverDown(let server): "down \(server + 1)"
    case .weight(let server, let from, let to): "\(server + 1): \(from) to \(to)"
    case .quorumGained(let weight): "gained \(weight)"
    case .quorumLost(let weight): "lost \(weight)"
    }
  }

  private static func text(_ servers: [RealServer]) -> String {
    servers.map { server in
      let last = server.endpoint.address.bytes.last ?? 0
      return "\(last == 9 ? "s" : "\(last)"):\(server.weight)"
    }.joined(separator: " ")
  }

  @Test(arguments: rows) func whoServes(row: Row) throws {
    var state = try ServiceStateTests.state(row.service)
    var told: [String] = []
    for event in row.events { told += state.apply(try ServiceStateTests.event(event)).map(ServiceStateTests.text) }
    #expect(told == row.told)
    #expect(ServiceStateTests.text(state.servers) == row.serving)
    #expect(state.hasQuorum == row.hasQuorum)
  }

  @Test func whereNothingChecksNothingStartsDown() throws {
    let state = ServiceState(try ServiceStateTests.service("alpha"))
    #expect(state.hasQuorum && state.servers.count == 3)
  }

  @Test func reloadKeepsVerdictsOfTheSameChecks() throws {
    var old = try ServiceStateTests.state(ServiceStateTests.sorry)
    for text in ["1- 0", "2- 1", "3= 7"] { _ = old.apply(try ServiceStateTests.event(text)) }
    // When they run does not make them others.
    var same = try ServiceStateTests.state(ServiceStateTests.sorry + "\nquorum 1", check: "retry 9")
    #expect(same.takeUp(old).map(ServiceStateTests.text) == [])
    #expect(ServiceStateTests.text(same.servers) == "3:7")
    // The first check is another one now: presumed well. The second is the same and still fails.
    var other = try ServiceStateTests.state(ServiceStateTests.sorry, check: "connect_port 81")
    #expect(other.takeUp(old).map(ServiceStateTests.text) == ["up 1"])
    #expect(ServiceStateTests.text(other.servers) == "1:2 3:1")
  }

  /// The first look at a service is told, too.
  @Test(arguments: [
    ("", ["gained 4"]), ("alpha", []), ("alpha\n" + sorry, ["lost 0"]), ("quorum 3\nhysteresis 2", []),
  ])
  func beginning(service: String, told: [String]) throws {
    #expect(try ServiceStateTests.state(service).beginning.map(ServiceStateTests.text) == told)
  }

  /// Several checks may want another weight: the differences add up, and what does not fit is cut.
  @Test(
    arguments: [
      ([CheckWeight.replace(5), .replace(7)], 10), ([.replace(5), .add(-20)], 0),
      ([.add(.max), .add(.max)], .max), ([.add(.max), .add(.min)], 2), ([.replace(9), nil], 9),
    ] as [([CheckWeight?], Int32)])
  func weightsAddUp(weights: [CheckWeight?], sum: Int32) throws {
    var state = try ServiceStateTests.state("")
    for (number, weight) in weights.enumerated() {
      _ = state.apply(ServiceState.Event(server: 0, check: number, isWell: true, weight: weight))
    }
    #expect(state.servers.first?.weight == sum)
  }

  /// The services a director has are those that serve.
  @Test func sorryServerServesWhenNobodyHasWeight() throws {
    let text = """
      virtual_server 10.1.0.100 80 {
      protocol TCP
      lb_kind NAT
      sorry_server 10.9.9.9 8080
      sorry_server_lvs_method DR
      real_server 10.2.0.11 80 { weight 0 }
      }
      """
    let configuration = parseConfiguration(bytes: Array(text.utf8), file: "t").0
    var services = VirtualServices()
    try services.load(configuration)
    let servers = services.servers.values.filter(\.isAvailable)
    #expect(servers.map(\.spec.endpoint.address) == [IPAddress("10.9.9.9")])
    #expect(servers.map(\.method) == [.directRouting] && servers.map(\.spec.endpoint.port) == [80])
  }
}

/// `warmup_weight`: a server that comes back is not given everything at once.
struct WarmupTests {
  private static func state(_ lines: String) throws -> ServiceState {
    let text = """
      virtual_server 10.0.0.1 80 {
      protocol TCP
      \(lines)
      real_server 10.1.0.1 80 {
      weight 100
      TCP_CHECK {
      }
      }
      real_server 10.1.0.2 80 {
      weight 1
      warmup_weight 5
      TCP_CHECK {
      }
      }
      }
      """
    let (configuration, findings) = parseConfiguration(bytes: Array(text.utf8), file: "t")
    try #require(findings.filter { $0.severity >= .error }.isEmpty, "\(findings)")
    let health = Health(configuration)
    return try #require(health.units.first).first
  }

  private static func weights(_ state: ServiceState) -> [Int32] { state.servers.map(\.weight) }

  @Test func theWeightRises() throws {
    var state = try WarmupTests.state("warmup_weight 10")
    #expect(WarmupTests.weights(state) == [100, 1] && !state.isWarming, "a start is no return")
    let second: UInt64 = 1_000_000_000
    _ = state.apply(.init(server: 0, check: 0, isWell: false, atNanoseconds: 100 * second))
    #expect(WarmupTests.weights(state) == [1])
    #expect(state.apply(.init(server: 0, check: 0, isWell: true, atNanoseconds: 200 * second)) == [.serverUp(0)])
    #expect(WarmupTests.weights(state) == [1, 1] && state.weight == 101, "the quorum goes by the full weight")
    for (now, weight) in [(201, 9), (205, 50), (209, 89), (210, 100)] as [(UInt64, Int32)] {
      let hasRisen = state.warm(atNanoseconds: now * second)
      #expect(hasRisen)
      #expect(WarmupTests.weights(state)[0] == weight, "at \(now)")
    }
    #expect(!state.isWarming)
    let rises = state.warm(atNanoseconds: 300 * second)
    #expect(!rises)
  }

  @Test func oneThatFallsAgainBeginsAnew() throws {
    var state = try WarmupTests.state("warmup_weight 10")
    let second: UInt64 = 1_000_000_000
    _ = state.apply(.init(server: 0, check: 0, isWell: false, atNanoseconds: 0))
    _ = state.apply(.init(server: 0, check: 0, isWell: true, atNanoseconds: 0))
    _ = state.warm(atNanoseconds: 5 * second)
    _ = state.apply(.init(server: 0, check: 0, isWell: false, atNanoseconds: 6 * second))
    _ = state.warm(atNanoseconds: 7 * second)
    #expect(!state.isWarming)
    _ = state.apply(.init(server: 0, check: 0, isWell: true, atNanoseconds: 8 * second))
    _ = state.warm(atNanoseconds: 9 * second)
    #expect(WarmupTests.weights(state)[0] == 9)
  }

  @Test func withoutTheKeywordItIsThereAtOnce() throws {
    var state = try WarmupTests.state("")
    _ = state.apply(.init(server: 0, check: 0, isWell: false, atNanoseconds: 0))
    _ = state.apply(.init(server: 0, check: 0, isWell: true, atNanoseconds: 0))
    #expect(WarmupTests.weights(state) == [100, 1] && !state.isWarming)
  }
}
