import Dataplane

/// The flows 0 and up of a scenario through one engine: opens them, remembers what their replies look like, and fills
/// frames with their packets.
final class FlowSet {
  /// What they belong to.
  let scenario: Scenario
  /// How many are open.
  let count: Int
  private let writer: FrameWriter
  /// By flow: server << 24 | local address << 16 | local port.
  private var partners: [UInt32]

  /// - Parameter count: flows that `open` opens.
  init(_ scenario: Scenario, count: Int) {
    self.scenario = scenario
    self.count = count
    writer = FrameWriter(scenario.family)
    partners = scenario.mode.answers ? [UInt32](repeating: 0, count: count) : []
  }

  /// The same flows with frames of its own, for another thread.
  init(sharing other: FlowSet) {
    scenario = other.scenario
    count = other.count
    writer = FrameWriter(other.scenario.family)
    partners = other.partners
  }

  // MARK: - Packets

  /// Offers a packet from a flow's client.
  @inline(__always)
  func offerRequest(_ flow: Int, _ flags: UInt8, to engine: some Engine) throws {
    write(request: flow, flags)
    if !engine.offer(writer.bytes, interface: 0) { throw BenchError("offer a request: no frame is free") }
  }

  /// A packet from a flow's client, valid until the next one is written.
  @inline(__always)
  func request(_ flow: Int, _ flags: UInt8) -> UnsafeRawBufferPointer {
    write(request: flow, flags)
    return writer.bytes
  }

  private func write(request flow: Int, _ flags: UInt8) {
    writer.write(
      Segment(
        source: scenario.client(flow), sourcePort: scenario.clientPort(flow), destination: scenario.vip,
        destinationPort: Scenario.port, flags: flags, from: Scenario.router, to: Scenario.outside))
  }

  /// Offers a packet from a flow's server.
  @inline(__always)
  func offerReply(_ flow: Int, _ flags: UInt8, to engine: some Engine) throws {
    let partner = partners[flow]
    let server = Int(partner >> 24)
    let isFull = scenario.mode == .fullnat
    writer.write(
      Segment(
        source: scenario.server(server), sourcePort: scenario.serverPort,
        destination: isFull ? scenario.local(Int(partner >> 16 & 0xff)) : scenario.client(flow),
        destinationPort: isFull ? UInt16(truncatingIfNeeded: partner) : scenario.clientPort(flow), flags: flags,
        from: Scenario.station(server), to: Scenario.inside))
    if !engine.offer(writer.bytes, interface: 1) { throw BenchError("offer a reply: no frame is free") }
  }

  // MARK: - Opening

  /// Opens all flows: SYN, the server's answer where it passes here, ACK.
  /// - Parameter clock: the time to do it at; nil: the system's.
  func open(_ engine: some Engine, atNanoseconds clock: UInt64? = nil) throws {
    let take = { _ = clock.map { engine.turn(atNanoseconds: $0) } ?? engine.turnNow() }
    let before = engine.outcomes()
    for first in stride(from: 0, to: count, by: Frames.batch) {
      let flows = first..<min(first + Frames.batch, count)
      for flow in flows { try offerRequest(flow, Segment.Flags.syn, to: engine) }
      take()
      if scenario.mode.answers {
        learn(first, from: engine)
        for flow in flows { try offerReply(flow, Segment.Flags.synAck, to: engine) }
        take()
      }
      for flow in flows { try offerRequest(flow, Segment.Flags.ack, to: engine) }
      take()
    }
    take()
    let replies = scenario.mode.answers ? count : 0
    try verify(engine, since: before, requests: 2 * count, replies: replies, doing: "open \(count) flows")
    let (active, inactive) = engine.connections()
    guard active == count, inactive == 0 else {
      throw BenchError("open \(count) flows: \(active) are active and \(inactive) inactive")
    }
  }

  /// Reads from the requests that were sent which server they went to, and from where.
  private func learn(_ first: Int, from engine: some Engine) {
    // The last two bytes of the addresses.
    let (source, destination) = scenario.family == .v4 ? (28, 32) : (36, 52)
    let serverBase = UInt16(truncatingIfNeeded: scenario.server(0).low)
    let localBase = UInt16(truncatingIfNeeded: scenario.local(0).low)
    engine.forEachSent { index, _, bytes in
      let word = { (offset: Int) in UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)) }
      let server = word(destination) &- serverBase
      let local = word(source) &- localBase
      let port = word(14 + scenario.family.headerByteCount)
      partners[first + index] = UInt32(server) << 24 | UInt32(local & 0xff) << 16 | UInt32(port)
    }
  }

  /// Checks that since `before` nothing has happened but that so many requests and replies were sent.
  func verify(
    _ engine: some Engine, since before: [UInt64], requests: Int, replies: Int, doing step: String
  ) throws {
    let wanted: (request: Outcome, reply: Outcome) =
      switch scenario.mode {
      case .dr: (.directRouting, .directRouting)
      case .nat: (.masqueradeRequest, .masqueradeReply)
      case .tun: (.tunnel, .tunnel)
      case .fullnat: (.fullNATRequest, .fullNATReply)
      }
    let after = engine.outcomes()
    for outcome in Outcome.allCases where outcome != .pending {
      let found = Int(after[Int(outcome.rawValue)] - before[Int(outcome.rawValue)])
      var expected = outcome == wanted.request ? requests : 0
      if outcome == wanted.reply, scenario.mode.answers { expected = replies }
      if found != expected {
        throw BenchError("\(step): \(found) frames with the outcome \(outcome.name) instead of \(expected)")
      }
    }
  }
}
