import Wire

@testable import VRRP

/// One director of a history: the engine as the product has it, on a clock of its own, and what a machine around it does:
/// it runs, stands still, dies, has a link or none.
struct Director {
  enum Power: Equatable {
    case running
    /// The process stands still; datagrams wait for it, unless the whole machine stands still.
    case paused(losesDatagrams: Bool)
    case dead
  }

  let number: Int
  let definitions: [InstanceDefinition]
  let groups: [SyncGroupDefinition]
  let flaw: Flaw?
  /// Its monotonic clock began then, and runs that many millionths too fast.
  let clockStart: Microseconds
  let drift: Int64

  var engine = VRRPEngine()
  var power = Power.dead
  var hasLink = true
  var scriptFails = false
  /// Datagrams that came while it was paused.
  var waiting: [(lan: Int, bytes: [UInt8])] = []

  // What was seen of it.
  var hasAddresses: [Bool]
  var entriesAsMaster: [Int]
  var lastSent: [Microseconds?]
  var lastAnnounced: [Microseconds?]
  /// What must never happen, and did.
  var violation: String?

  /// As many datagrams as wait in a socket.
  static let waitingLimit = 256
  static let script = TrackedObject.Name(.script, "chk")

  init(
    number: Int, definitions: [InstanceDefinition], groups: [SyncGroupDefinition], flaw: Flaw?,
    clockStart: Microseconds, drift: Int64
  ) {
    self.number = number
    self.definitions = definitions
    self.groups = groups
    self.flaw = flaw
    self.clockStart = clockStart
    self.drift = drift
    hasAddresses = definitions.map { _ in false }
    entriesAsMaster = definitions.map { _ in 0 }
    lastSent = definitions.map { _ in nil }
    lastAnnounced = definitions.map { _ in nil }
  }

  var address: IPAddress { definitions[0].source }
  /// Everything that it would need to be master.
  var isEligible: Bool { power == .running && hasLink }
  var priority: UInt8 { engine.machines.first?.priority ?? 0 }
  func state(_ lan: Int) -> InstanceState { power == .dead ? .initial : engine.machines[lan].state }

  // MARK: - Its clock

  func local(_ time: Microseconds) -> Microseconds {
    clockStart + UInt64(Int64(time) + Int64(time) * drift / 1_000_000)
  }

  /// When its clock will show `moment`.
  func time(ofLocal moment: Microseconds) -> Microseconds {
    guard moment > clockStart else { return 0 }
    var time = UInt64(max(0, Int64(moment - clockStart) * 1_000_000 / (1_000_000 + drift) - 2))
    while local(time) < moment { time += 1 }
    return time
  }

  /// When it does something by itself.
  var nextTime: Microseconds? {
    guard power == .running else { return nil }
    return engine.nextMicroseconds.map(time(ofLocal:))
  }

  // MARK: - What happens to it

  /// - Returns: what leaves it.
  mutating func boot(at time: Microseconds) -> [Departure] {
    engine = VRRPEngine()
    power = .running
    waiting = []
    hasAddresses = definitions.map { _ in false }
    var done = engine.update(to: definitions, groups: groups, at: local(time))
    done += engine.observe(Director.script, .well(!scriptFails), at: local(time))
    if !hasLink { done += linkEvents(at: time) }
    flaw?.change(&engine, after: .boot, at: local(time))
    return carryOut(done, at: time)
  }

  mutating func die() {
    power = .dead
    hasAddresses = definitions.map { _ in false }
  }

  mutating func stop(at time: Microseconds) -> [Departure] {
    let departures = carryOut(engine.end(at: local(time)), at: time)
    die()
    return departures
  }

  mutating func setLink(_ isUp: Bool, at time: Microseconds) -> [Departure] {
    hasLink = isUp
    guard power != .dead else { return [] }
    return carryOut(linkEvents(at: time), at: time)
  }

  private mutating func linkEvents(at time: Microseconds) -> [VRRPAction] {
    definitions.flatMap {
      engine.handle(.condition("interface down", holds: !hasLink), of: $0.name, at: local(time))
    }
  }

  mutating func setScript(fails: Bool, at time: Microseconds) -> [Departure] {
    scriptFails = fails
    guard power != .dead else { return [] }
    return carryOut(engine.observe(Director.script, .well(!fails), at: local(time)), at: time)
  }

  mutating func receive(_ bytes: [UInt8], lan: Int, at time: Microseconds) -> [Departure] {
    switch power {
    case .dead, .paused(losesDatagrams: true): return []
    case .paused(losesDatagrams: false):
      if waiting.count < Director.waitingLimit { waiting.append((lan, bytes)) }
      return []
    case .running: break
    }
    guard hasLink else { return [] }
    let now = local(time)
    let before = engine.machines[lan]
    let done = bytes.withUnsafeBytes { packet -> [VRRPAction] in
      guard let datagram = bytes[0] >> 4 == 4 ? Datagram(ipv4: packet) : Datagram(ipv6: packet) else { return [] }
      guard flaw?.prepare(&engine, for: datagram, lan: lan) ?? true else { return [] }
      return engine.receive(datagram, interface: "lan\(lan)", at: now)
    }
    flaw?.change(&engine, after: .datagram(lan: lan, before: before), at: now)
    return carryOut(done, at: time)
  }

  /// Runs again: first the datagrams that waited, then the timers; nothing else would be right.
  mutating func resume(at time: Microseconds) -> [Departure] {
    power = .running
    let all = waiting
    waiting = []
    return all.flatMap { receive($0.bytes, lan: $0.lan, at: time) }
  }

  mutating func fire(at time: Microseconds) -> [Departure] {
    let done = engine.fire(at: local(time))
    flaw?.change(&engine, after: .timer, at: local(time))
    return carryOut(done, at: time)
  }
}
