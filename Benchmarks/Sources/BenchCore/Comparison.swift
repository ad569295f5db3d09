import Dataplane
import Wire

/// The same frames through lbd and through the reference: outcome, bytes, interface, counters must be equal.
public struct Comparison {
  /// What was compared.
  public struct Summary: Sendable {
    /// Frames.
    public var frames = 0
    /// Frames that the reference leaves out.
    public var leftOut = 0
    /// By outcome of lbd.
    public var outcomes: [Outcome: Int] = [:]
  }

  private let seed: UInt64
  private let frames: Int
  private var summary = Summary()

  /// - Parameter frames: in all, shared out over methods, families and protocols.
  public init(frames: Int, seed: UInt64) {
    self.frames = frames
    self.seed = seed
  }

  /// Compares.
  /// - Throws: at the first difference, with a dump.
  public mutating func run() throws -> Summary {
    var number: UInt64 = 0
    let schedulings = Scheduling.allCases.filter { $0.scheduler != nil }
    let share = (frames + 15) / 16
    for mode in Mode.allCases {
      for family in Family.allCases {
        for transport in [TransportProtocol.tcp, .udp] {
          var scenario = Scenario(mode, family, connections: 1024)
          scenario.transport = transport
          scenario.scheduling = schedulings[Int(number) % schedulings.count]
          scenario.seed = seed
          number += 1
          let flows = [40, 300, 2500][Int(number) % 3]
          var pair = try ComparedPair(scenario, flowCount: flows, seed: seed &* 1000 &+ number)
          try pair.run(frames: share, &summary)
        }
      }
    }
    return summary
  }
}

/// lbd and the reference side by side.
struct ComparedPair {
  private let scenario: Scenario
  private var lbd: LbdEngine
  private var reference: ReferenceEngine
  private var mutator: FrameMutator
  private var clock: UInt64 = 10_000_000_000
  private var turn = 0
  /// After packets that the reference leaves out, lbd may have numbered one of its own.
  private var mayNumberDiffer = false
  /// A connection may have been opened, or seen alive, by a packet that the reference left out.
  private var hasMoved = false
  /// By server: packets and bytes, to it and from it, that lbd alone has counted, which are such packets (errors about
  /// connections among them) and its own answers (ICMP).
  private var ahead = [[UInt64]](repeating: [0, 0, 0, 0], count: Scenario.serverCount)

  init(_ scenario: Scenario, flowCount: Int, seed: UInt64) throws {
    self.scenario = scenario
    lbd = try LbdEngine(scenario)
    reference = try ReferenceEngine(scenario)
    mutator = FrameMutator(scenario, flowCount: flowCount, seed: seed)
  }

  mutating func run(frames: Int, _ summary: inout Comparison.Summary) throws {
    var left = frames
    while left > 0 {
      let count = min(left, 1 + mutator.below(Frames.batch))
      hasMoved = false
      try batch(count, &summary)
      if hasMoved { try startAnew() }
      left -= count
    }
  }

  /// Both with empty tables.
  private mutating func startAnew() throws {
    lbd = try LbdEngine(scenario)
    reference = try ReferenceEngine(scenario)
    ahead = [[UInt64]](repeating: [0, 0, 0, 0], count: Scenario.serverCount)
  }

  private mutating func batch(_ count: Int, _ summary: inout Comparison.Summary) throws {
    mutator.makesLeftOut = mutator.below(2) == 0
    let leftOut = summary.leftOut
    let all = (0..<count).map { _ in mutator.next() }
    for frame in all {
      let isTaken = frame.bytes.withUnsafeBytes {
        (lbd.offer($0, interface: frame.interface), reference.offer($0, interface: frame.interface))
      }
      guard isTaken == (true, true) else { throw BenchError("offer a frame of \(frame.bytes.count) bytes: \(isTaken)") }
    }
    // Mostly a few milliseconds, sometimes as long as a connection lives.
    clock += UInt64(mutator.below(20) == 0 ? mutator.below(70_000) : mutator.below(30)) * 1_000_000
    let taken = (lbd.turn(atNanoseconds: clock), reference.turn(atNanoseconds: clock))
    guard taken == (count, count) else { throw BenchError("take \(count) frames: lbd and reference took \(taken)") }
    // The interfaces take turns at being first.
    let first = turn % 2
    turn += 1
    let order = all.filter { $0.interface == first } + all.filter { $0.interface != first }
    let sent = (collect(lbd), collect(reference))
    for (index, frame) in order.enumerated() { try compare(index, frame, sent.0[index], sent.1[index], &summary) }
    if hasMoved { return }
    try compareCounters(hasLeftOut: summary.leftOut > leftOut)
  }

  private func collect(_ engine: some Engine) -> [[Sent]] {
    var sent = [[Sent]](repeating: [], count: Frames.batch)
    engine.forEachSent { sent[$0].append(Sent(interface: $1, bytes: Array($2))) }
    return sent
  }

  struct Sent: Equatable {
    var interface: Int
    var bytes: [UInt8]
  }

  private mutating func compare(
    _ index: Int, _ frame: FrameMutator.Frame, _ ours: [Sent], _ theirs: [Sent], _ summary: inout Comparison.Summary
  ) throws {
    let outcome = lbd.outcome(of: index)
    summary.frames += 1
    summary.outcomes[outcome, default: 0] += 1
    guard let other = ReferenceOutcome.outcome(reference.outcome(of: index)) else {
      summary.leftOut += 1
      mayNumberDiffer = true
      guard outcome != .pending else { throw difference("lbd decided nothing", frame, ours, theirs) }
      // A packet that is cut short, has no hops left or is too big may have been seen before that was found out.
      let isSeen = [Outcome.malformed, .timeExceeded, .tooBig].contains(outcome)
      if outcome.fate == .forwarded || isSeen { hasMoved = true }
      return
    }
    guard outcome == other else {
      throw difference("lbd \(outcome.name), reference \(other.name)", frame, ours, theirs)
    }
    guard ours.map(comparable) == theirs.map(comparable) else {
      throw difference("\(outcome.name), but what was sent is not the same", frame, ours, theirs)
    }
    if outcome.fate == .passed, !lbd.bytes(of: index).elementsEqual(reference.bytes(of: index)) {
      let left = [lbd.bytes(of: index), reference.bytes(of: index)].map { Sent(interface: -1, bytes: Array($0)) }
      throw difference("\(outcome.name), but not the same bytes", frame, [left[0]], [left[1]])
    }
    if let flow = frame.requestOf, scenario.mode.answers, let sent = ours.first { learn(flow, sent.bytes) }
  }

  /// What has to be equal: everything, but for the outer IPv4 header's identification and checksum once they may differ.
  private func comparable(_ sent: Sent) -> Sent {
    guard mayNumberDiffer, scenario.mode == .tun, scenario.family == .v4, sent.bytes.count >= 34 else { return sent }
    var masked = sent
    let isSound = RawPacket.checksum(Array(sent.bytes[14..<34])) == 0
    masked.bytes.replaceSubrange(18..<20, with: [0, 0])
    masked.bytes.replaceSubrange(24..<26, with: [0, isSound ? 1 : 0])
    return masked
  }

  private mutating func learn(_ flow: Int, _ bytes: [UInt8]) {
    let number = { (range: Range<Int>) in bytes[range].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }
    let transport = 14 + scenario.family.headerByteCount
    guard bytes.count >= transport + 8 else { return }
    let ends: (local: Address, server: Address) =
      scenario.family == .v4
      ? (Address(low: number(26..<30)), Address(low: number(30..<34)))
      : (Address(high: number(22..<30), low: number(30..<38)), Address(high: number(38..<46), low: number(46..<54)))
    mutator.partners[flow] = .init(
      server: ends.server, station: number(0..<6), local: ends.local,
      localPort: UInt16(number(transport..<transport + 2)))
  }

  private mutating func compareCounters(hasLeftOut: Bool) throws {
    for number in 0..<Scenario.serverCount {
      let ours = lbd.dataplane.counters(ofServer: UInt16(number + 1))
      let theirs = reference.counters(ofServer: number)
      let mine = [ours.inPackets, ours.outPackets, ours.inBytes, ours.outBytes]
      var other = [theirs.in_packets, theirs.out_packets, theirs.in_bytes, theirs.out_bytes]
      if hasLeftOut { ahead[number] = zip(mine, other).map { $0 &- $1 } }
      other = zip(other, ahead[number]).map { $0 &+ $1 }
      guard mine == other, ours.connections == theirs.connections else {
        throw BenchError("\(name), turn \(turn): counters of server \(number) differ: lbd \(mine), reference \(other)")
      }
    }
    guard lbd.connections() == reference.connections(), lbd.expired() == reference.expired() else {
      throw BenchError(
        "\(name): connections differ: lbd \(lbd.connections()), \(lbd.expired()) expired, reference "
          + "\(reference.connections()), \(reference.expired()) expired")
    }
    let entries = lbd.dataplane.entryCounts
    guard entries.ipv4 + entries.ipv6 == reference.table.entryCount else {
      throw BenchError("\(name): entries of the table differ: lbd \(entries), reference \(reference.table.entryCount)")
    }
  }

  private var name: String { "\(scenario.mode) \(scenario.family) \(scenario.transport) \(scenario.scheduling)" }

  private func difference(
    _ what: String, _ frame: FrameMutator.Frame, _ ours: [Sent], _ theirs: [Sent]
  ) -> BenchError {
    var text = "\(name), turn \(turn): \(what)\nframe, by interface \(frame.interface):\n"
    text += HexDump.text(frame.bytes)
    for (side, sent) in [("lbd", ours), ("reference", theirs)] {
      if sent.isEmpty { text += "\(side) sent nothing\n" }
      for one in sent { text += "\(side), by interface \(one.interface):\n" + HexDump.text(one.bytes) }
    }
    return BenchError(text)
  }
}
