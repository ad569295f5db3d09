import Testing
import Wire

@testable import Dataplane

/// The TCP state machine, cell by cell, and what each state means.
@Suite struct ConnectionStateTests {
  /// Columns of the tables below, in the order of the states' numbers.
  static let columns = ["NO", "ES", "SS", "SR", "FW", "TW", "CL", "CW", "LA", "LI", "SA"]

  /// A row: direction, event, the next state by present state.
  static let rows: [(ConnectionState.Row, String, UInt8, String)] = [
    (.input, "SYN", TCP.syn, "SR ES ES SR SR SR SR SR SR SR SR"),
    (.input, "FIN", TCP.fin, "CL CW SS TW TW TW CL CW LA LI TW"),
    (.input, "ACK", TCP.ack, "ES ES SS ES FW TW CL CW CL LI ES"),
    (.input, "RST", TCP.rst, "CL CL CL SR CL CL CL CL LA LI SR"),
    (.input, "none", 0, "CL CL CL CL CL CL CL CL CL CL CL"),
    (.output, "SYN", TCP.syn, "SS ES SS SR SS SS SS SS SS LI SR"),
    (.output, "FIN", TCP.fin, "TW FW SS TW FW TW CL TW LA LI TW"),
    (.output, "ACK", TCP.ack, "ES ES SS ES FW TW CL CW LA ES ES"),
    (.output, "RST", TCP.rst, "CL CL SS CL CL TW CL CL CL CL CL"),
    (.output, "none", 0, "CL CL CL CL CL CL CL CL CL CL CL"),
    (.inputOnly, "SYN", TCP.syn, "SR ES ES SR SR SR SR SR SR SR SR"),
    (.inputOnly, "FIN", TCP.fin, "CL FW SS TW FW TW CL CW LA LI TW"),
    (.inputOnly, "ACK", TCP.ack, "ES ES SS ES FW TW CL CW CL LI ES"),
    (.inputOnly, "RST", TCP.rst, "CL CL CL SR CL CL CL CL LA LI CL"),
    (.inputOnly, "none", 0, "CL CL CL CL CL CL CL CL CL CL CL"),
  ]

  @Test(arguments: rows.indices)
  func cells(row: Int) {
    let states = ConnectionState()
    let (direction, event, flags, text) = Self.rows[row]
    let next = text.split(separator: " ").map { Self.columns.firstIndex(of: String($0)) }
    #expect(next.count == 11)
    for state in 0..<11 {
      for other: UInt8 in [0, TCP.psh, TCP.urg | TCP.ece | TCP.cwr] {
        let found = states.next(UInt8(state), row: direction, segment: (flags | other) & 0x1f)
        #expect(Int(found) == next[state], "\(direction) \(event) in \(Self.columns[state])")
      }
    }
  }

  /// Of several flags the first of RST, SYN, FIN, ACK counts.
  @Test func precedence() {
    let states = ConnectionState()
    for row in [ConnectionState.Row.input, .output, .inputOnly] {
      for state in UInt8(0)..<11 {
        for flags in UInt8(0)...63 {
          let event: UInt8 = [TCP.rst, TCP.syn, TCP.fin, TCP.ack].first { flags & $0 != 0 } ?? 0
          #expect(states.next(state, row: row, segment: flags & 0x1f) == states.next(state, row: row, segment: event))
        }
      }
    }
  }

  @Test func activity() {
    let active = ConnectionState.TCP.allCases.filter { ConnectionState.isActive($0.rawValue, protocolNumber: 6) }
    #expect(active == [.established, .synSent, .synReceived, .synAck])
    #expect(!(UInt8(0)..<16).contains { ConnectionState.isActive($0, protocolNumber: 17) })
  }

  struct Scenario: Sendable, CustomTestStringConvertible {
    let name: String
    let method: Forwarding
    /// `<` from the server, and the flags.
    let segments: String
    let states: String
    let counts: [UInt32]
    var testDescription: String { "\(method): \(name)" }
  }

  static let scenarios =
    [Forwarding.masquerading, .fullNAT].flatMap { method in
      [
        Scenario(
          name: "normal", method: method, segments: "S <SA A", states: "SYN_RECV SYN_RECV ESTABLISHED", counts: [1, 0]),
        Scenario(
          name: "client closes first", method: method, segments: "S <SA A FA <FA A",
          states: "SYN_RECV SYN_RECV ESTABLISHED CLOSE_WAIT TIME_WAIT TIME_WAIT", counts: [0, 1]),
        Scenario(
          name: "server closes first", method: method, segments: "S <SA A <FA FA",
          states: "SYN_RECV SYN_RECV ESTABLISHED FIN_WAIT TIME_WAIT", counts: [0, 1]),
        Scenario(
          name: "server refuses", method: method, segments: "S <RA", states: "SYN_RECV CLOSE", counts: [0, 1]),
        Scenario(
          name: "reset in SYN_RECV", method: method, segments: "S R", states: "SYN_RECV SYN_RECV", counts: [1, 0]),
      ]
    }
    + [Forwarding.directRouting, .tunnelling].flatMap { method in
      [
        Scenario(
          name: "seen from one side", method: method, segments: "S A FA A",
          states: "SYN_RECV ESTABLISHED FIN_WAIT FIN_WAIT",
          counts: [0, 1]),
        Scenario(
          name: "reset", method: method, segments: "S A R", states: "SYN_RECV ESTABLISHED CLOSE", counts: [0, 1]),
        Scenario(
          name: "SYN again", method: method, segments: "S A S", states: "SYN_RECV ESTABLISHED ESTABLISHED",
          counts: [1, 0]),
        Scenario(
          name: "no flags", method: method, segments: "S A P", states: "SYN_RECV ESTABLISHED CLOSE", counts: [0, 1]),
        Scenario(name: "SYN and ACK", method: method, segments: "SA", states: "SYN_RECV", counts: [1, 0]),
      ]
    }

  @Test(arguments: scenarios)
  func conversations(scenario: Scenario) throws {
    for family in [IPAddress.Family.ipv4, .ipv6] {
      let service = TestService(method: scenario.method, family: family)
      let director = try Director(service)
      var seen: [String] = []
      for segment in scenario.segments.split(separator: " ") {
        let flags = segment.reduce(UInt8(0)) {
          $0 | (["S": TCP.syn, "A": TCP.ack, "F": TCP.fin, "R": TCP.rst, "P": TCP.psh][$1] ?? 0)
        }
        let local = director.listed.first?.local
        let journey =
          segment.first == "<"
          ? director.fromServer(.reply(service, to: local?.address, port: local?.port ?? 40_000, flags))
          : director.fromClient(.request(service, flags))
        #expect(journey.outcome.isForwarded)
        seen.append(director.listed.first?.stateName ?? "-")
      }
      #expect(seen.joined(separator: " ") == scenario.states)
      #expect(director.connections() == scenario.counts)
      director.verifyEmptyAfterExpiry()
    }
  }
}
