import Testing
import Wire

@testable import Dataplane

/// Which packet gets which mark, one by one and against an evaluation that reads the rules as they are written.
struct MarkRulesTests {
  typealias Rule = SnapshotDescription.MarkRule
  typealias Condition = SnapshotDescription.Condition

  /// A packet as values.
  struct Subject: Sendable {
    var interface: UInt32 = 0
    var source = "172.16.1.1"
    var destination = "10.1.0.100"
    var protocolNumber: UInt8 = 6
    var ports: (source: UInt16, destination: UInt16)? = (40_000, 80)

    var compiled: MarkRules.Subject {
      let (from, to) = (IPAddress(source)!, IPAddress(destination)!)
      return MarkRules.Subject(
        isIPv6: from.family == .ipv6, protocolNumber: protocolNumber, hasPorts: ports != nil,
        sourcePort: ports?.source ?? 0, destinationPort: ports?.destination ?? 0, interface: interface,
        sourceHigh: from.words.high, sourceLow: from.words.low, destinationHigh: to.words.high,
        destinationLow: to.words.low)
    }
  }

  /// Keeps arrays for the length of a test.
  private final class Memory: MarkRules.Memory {
    private var blocks: [UnsafeMutableRawPointer] = []

    deinit { for block in blocks { block.deallocate() } }

    func array<Element>(_ values: [Element]) -> UnsafeMutablePointer<Element> {
      let pointer = UnsafeMutablePointer<Element>.allocate(capacity: max(values.count, 1))
      pointer.initialize(from: values, count: values.count)
      blocks.append(UnsafeMutableRawPointer(pointer))
      return pointer
    }
  }

  private func mark(_ rules: [Rule], _ subject: Subject) -> UInt32 {
    let memory = Memory()
    return withExtendedLifetime(memory) { MarkRules(rules, memory: memory).mark(of: subject.compiled) }
  }

  private static func rule(_ mark: UInt32 = 1, clear: UInt32 = .max, _ change: (inout Rule) -> Void = { _ in }) -> Rule
  {
    var rule = Rule(clear: clear, flip: mark)
    change(&rule)
    return rule
  }

  private static func prefix(_ text: String, not: Bool = false) -> Condition<IPPrefix> {
    Condition(IPPrefix(text)!, isNegated: not)
  }

  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var rules: [Rule]
    var subject = Subject()
    var mark: UInt32
  }

  static let rows: [Row] = [
    Row(testDescription: "no rules", rules: [], mark: 0),
    Row(testDescription: "no conditions", rules: [rule(7)], mark: 7),
    Row(testDescription: "the last one counts", rules: [rule(1), rule(2)], mark: 2),
    Row(
      testDescription: "one that is not met changes nothing",
      rules: [rule(1), rule(2) { $0.protocolNumber = Condition(17) }], mark: 1),
    Row(
      testDescription: "bits add up", rules: [rule(1, clear: 1), rule(0x10, clear: 0xf0), rule(3, clear: 0)],
      mark: 0x12),
    Row(testDescription: "a mark taken back", rules: [rule(5), rule(0)], mark: 0),
    Row(testDescription: "family", rules: [rule { $0.family = .ipv6 }], mark: 0),
    Row(
      testDescription: "family of IPv6", rules: [rule { $0.family = .ipv6 }],
      subject: Subject(source: "fd00::1", destination: "fd00::2"), mark: 1),
    Row(testDescription: "source", rules: [rule { $0.source = prefix("172.16.0.0/16") }], mark: 1),
    Row(testDescription: "another source", rules: [rule { $0.source = prefix("172.17.0.0/16") }], mark: 0),
    Row(testDescription: "not the source", rules: [rule { $0.source = prefix("172.16.0.0/16", not: true) }], mark: 0),
    Row(testDescription: "host bits do not count", rules: [rule { $0.source = prefix("172.16.9.9/16") }], mark: 1),
    Row(testDescription: "destination", rules: [rule { $0.destination = prefix("10.1.0.100") }], mark: 1),
    Row(
      testDescription: "not another destination", rules: [rule { $0.destination = prefix("10.1.0.101", not: true) }],
      mark: 1),
    Row(testDescription: "everywhere", rules: [rule { $0.destination = prefix("0.0.0.0/0") }], mark: 1),
    Row(testDescription: "nowhere", rules: [rule { $0.destination = prefix("0.0.0.0/0", not: true) }], mark: 0),
    Row(
      testDescription: "everywhere in IPv4 is not IPv6", rules: [rule { $0.destination = prefix("0.0.0.0/0") }],
      subject: Subject(source: "fd00::1", destination: "::1"), mark: 0),
    Row(
      testDescription: "not somewhere in IPv4 is not IPv6 either",
      rules: [rule { $0.destination = prefix("10.0.0.0/8", not: true) }],
      subject: Subject(source: "fd00::1", destination: "fd00::2"), mark: 0),
    Row(
      testDescription: "two families are no packet's",
      rules: [
        rule {
          $0.source = prefix("0.0.0.0/0")
          $0.destination = prefix("::/0")
        }
      ], mark: 0),
    Row(
      testDescription: "IPv6 by a prefix above 64", rules: [rule { $0.destination = prefix("fd00::1:0/112") }],
      subject: Subject(source: "fd00::1", destination: "fd00::1:ffff"), mark: 1),
    Row(
      testDescription: "IPv6 by a prefix below 64", rules: [rule { $0.destination = prefix("fd00:1::/33") }],
      subject: Subject(source: "fd00::1", destination: "fd00:1:8000::"), mark: 0),
    Row(testDescription: "protocol", rules: [rule { $0.protocolNumber = Condition(6) }], mark: 1),
    Row(
      testDescription: "not the protocol", rules: [rule { $0.protocolNumber = Condition(6, isNegated: true) }], mark: 0),
    Row(testDescription: "protocol 0 is all", rules: [rule { $0.protocolNumber = Condition(0) }], mark: 1),
    Row(testDescription: "port", rules: [rule { $0.destinationPorts = Condition([80...80]) }], mark: 1),
    Row(testDescription: "first of a range", rules: [rule { $0.destinationPorts = Condition([80...90]) }], mark: 1),
    Row(
      testDescription: "last of a range", rules: [rule { $0.destinationPorts = Condition([7...9, 70...80]) }], mark: 1),
    Row(
      testDescription: "beside the ranges", rules: [rule { $0.destinationPorts = Condition([1...79, 81...90]) }],
      mark: 0),
    Row(
      testDescription: "not the port", rules: [rule { $0.destinationPorts = Condition([80...80], isNegated: true) }],
      mark: 0),
    Row(testDescription: "source port", rules: [rule { $0.sourcePorts = Condition([1...1023]) }], mark: 0),
    Row(
      testDescription: "not the source port", rules: [rule { $0.sourcePorts = Condition([1...1023], isNegated: true) }],
      mark: 1),
    Row(
      testDescription: "no ports", rules: [rule { $0.destinationPorts = Condition([0...65535]) }],
      subject: Subject(ports: nil), mark: 0),
    Row(
      testDescription: "no ports, negated", rules: [rule { $0.sourcePorts = Condition([9...9], isNegated: true) }],
      subject: Subject(ports: nil), mark: 0),
    Row(
      testDescription: "no ports, and none asked for", rules: [rule { $0.destination = prefix("10.1.0.100") }],
      subject: Subject(ports: nil), mark: 1),
    Row(testDescription: "interface", rules: [rule { $0.interfaces = Condition([3, 0]) }], mark: 1),
    Row(testDescription: "another interface", rules: [rule { $0.interfaces = Condition([1 << 16]) }], mark: 0),
    Row(testDescription: "an interface that is not there", rules: [rule { $0.interfaces = Condition([]) }], mark: 0),
    Row(
      testDescription: "not an interface that is not there",
      rules: [rule { $0.interfaces = Condition([], isNegated: true) }], mark: 1),
    Row(
      testDescription: "the VLAN counts",
      rules: [rule { $0.interfaces = Condition([Dataplane.markInterface(port: 1, vlan: 7)]) }],
      subject: Subject(interface: MarkRules.interface(port: 1, vlan: 7)), mark: 1),
  ]

  @Test(arguments: rows) func marksAreThoseOfTheRules(row: Row) {
    #expect(mark(row.rules, row.subject) == row.mark)
  }

  @Test func rulesBeyondTheLimitAreNotLookedAt() {
    let rules = [Rule](repeating: MarkRulesTests.rule(1), count: MarkRules.capacity) + [MarkRulesTests.rule(2)]
    #expect(mark(rules, Subject()) == 1)
  }

  @Test func agreesWithANaiveEvaluation() {
    let seed = UInt64.random(in: 0...UInt64(UInt32.max))
    print("mark rules seed \(seed)")
    var random = SplitMix(seed: seed)
    let memory = Memory()
    var marked = 0
    for round in 0..<300 {
      let rules = (0..<random.next(below: 12)).map { _ in MarkRulesTests.randomRule(&random) }
      let compiled = MarkRules(rules, memory: memory)
      for _ in 0..<40 {
        let subject = MarkRulesTests.randomSubject(&random)
        let expected = MarkRulesTests.naive(rules, subject)
        marked += expected == 0 ? 0 : 1
        guard compiled.mark(of: subject.compiled) == expected else {
          Issue.record("seed \(seed), round \(round): \(subject) \(rules)")
          return
        }
      }
    }
    withExtendedLifetime(memory) {}
    #expect(marked > 100, "the comparison would be empty")
  }

  // MARK: - The naive evaluation

  private static let addresses4 = ["10.1.0.100", "10.1.0.101", "172.16.1.1", "255.255.255.255", "0.0.0.0"]
  private static let addresses6 = ["fd00::1", "fd00:1::100", "fd00:1::101", "::", "ffff::ffff"]
  private static let ports: [UInt16] = [0, 1, 79, 80, 81, 443, 65535]

  private static func randomRule(_ random: inout SplitMix) -> Rule {
    func sometimes<Value>(_ value: Value, _ random: inout SplitMix) -> Condition<Value>? {
      random.next(below: 3) == 0 ? Condition(value, isNegated: random.next(below: 3) == 0) : nil
    }
    func prefix(_ random: inout SplitMix) -> IPPrefix {
      let address = IPAddress(random.pick(random.next(below: 3) == 0 ? addresses6 : addresses4))!
      let length = random.pick([0, 1, 8, 24, 31, 32, 63, 64, 65, 112, 127, 128])
      return IPPrefix(address: address, length: min(length, address.bitCount))!
    }
    func ranges(_ random: inout SplitMix) -> [ClosedRange<UInt16>] {
      (0...random.next(below: 3)).map { _ in
        let (first, second) = (random.pick(ports), random.pick(ports))
        return min(first, second)...max(first, second)
      }
    }
    var rule = Rule(
      clear: random.pick([.max, .max, 0, 0xf, 0xff00_0000]), flip: UInt32(truncatingIfNeeded: random.next()) & 0xff)
    rule.family = random.pick([nil, nil, .ipv4, .ipv6])
    rule.source = sometimes(prefix(&random), &random)
    rule.destination = sometimes(prefix(&random), &random)
    rule.protocolNumber = sometimes(random.pick([0, 6, 17, 132]), &random)
    rule.sourcePorts = sometimes(ranges(&random), &random)
    rule.destinationPorts = sometimes(ranges(&random), &random)
    rule.interfaces = sometimes((0..<random.next(below: 3)).map { UInt32($0) << 16 | UInt32($0) }, &random)
    return rule
  }

  private static func randomSubject(_ random: inout SplitMix) -> Subject {
    let addresses = random.next(below: 3) == 0 ? addresses6 : addresses4
    return Subject(
      interface: random.pick([0, 1, 0x1_0001]), source: random.pick(addresses), destination: random.pick(addresses),
      protocolNumber: random.pick([6, 17, 132]),
      ports: random.next(below: 5) == 0 ? nil : (random.pick(ports), random.pick(ports)))
  }

  private static func naive(_ rules: [Rule], _ subject: Subject) -> UInt32 {
    rules.reduce(0) { mark, rule in isMet(rule, subject) ? mark & ~rule.clear ^ rule.flip : mark }
  }

  private static func isMet(_ rule: Rule, _ subject: Subject) -> Bool {
    let (source, destination) = (IPAddress(subject.source)!, IPAddress(subject.destination)!)
    func holds(_ condition: Condition<IPPrefix>?, _ address: IPAddress) -> Bool {
      guard let condition else { return true }
      guard condition.value.address.family == address.family else { return false }
      return condition.value.contains(address) != condition.isNegated
    }
    func holds(_ condition: Condition<[ClosedRange<UInt16>]>?, _ port: UInt16?) -> Bool {
      guard let condition else { return true }
      guard let port else { return false }
      return condition.value.contains { $0.contains(port) } != condition.isNegated
    }
    if let family = rule.family, family != source.family { return false }
    if let number = rule.protocolNumber, number.value != 0,
      (number.value == subject.protocolNumber) == number.isNegated
    {
      return false
    }
    if let list = rule.interfaces, list.value.contains(subject.interface) == list.isNegated { return false }
    return holds(rule.source, source) && holds(rule.destination, destination)
      && holds(rule.sourcePorts, subject.ports?.source) && holds(rule.destinationPorts, subject.ports?.destination)
  }
}
