import Wire

@testable import VRRP

/// An instance on a clock, and its actions as short words.
struct Stage {
  var machine: InstanceMachine
  var now: Microseconds = 0
  /// What was done since this was last emptied: "send 100", "add", "announce 5", "MASTER" and so on; no log lines.
  var done: [String] = []
  /// The log lines since then.
  var lines: [String] = []

  static let own = IPAddress("10.99.0.12")!
  static let lower = IPAddress("10.99.0.11")!
  static let higher = IPAddress("10.99.0.13")!

  static func definition(
    priority: UInt8 = 100, version: InstanceDefinition.Version = .two, interval: Microseconds = 1_000_000
  ) -> InstanceDefinition {
    var definition = InstanceDefinition(
      name: "VI_1", virtualRouter: 51, version: version, source: own, addresses: [IPAddress("10.99.0.100")!])
    definition.priority = priority
    definition.configuredInterval = interval
    return definition
  }

  init(_ definition: InstanceDefinition) { machine = InstanceMachine(definition) }

  /// An instance that has begun and, if it is a backup, waits.
  static func started(_ definition: InstanceDefinition) -> Stage {
    var stage = Stage(definition)
    stage.handle(.start)
    return stage
  }

  /// An instance that has become master, at second 10 of its clock, and has nothing more to announce.
  static func master(_ definition: InstanceDefinition) -> Stage {
    var stage = started(definition)
    stage.run(until: 10_000_000)
    stage.take()
    return stage
  }

  mutating func handle(_ event: InstanceEvent) { note(machine.handle(event, at: now)) }

  mutating func hear(_ priority: UInt8, from source: IPAddress = lower, interval: Microseconds = 1_000_000) {
    handle(.advert(Advert(source: source, priority: priority, interval: interval)))
  }

  mutating func receive(_ bytes: [UInt8]) {
    let now = now
    let actions = bytes.withUnsafeBytes { packet in
      Datagram(ipv4: packet).map { machine.receive($0, at: now) } ?? []
    }
    note(actions)
  }

  /// Fires every timer in time until then.
  mutating func run(until end: Microseconds) {
    while let next = machine.nextMicroseconds, next <= end {
      now = max(now, next)
      handle(.timer)
    }
    now = end
  }

  /// What was done, which is forgotten.
  @discardableResult mutating func take() -> [String] {
    defer {
      done = []
      lines = []
    }
    return done
  }

  mutating func note(_ actions: [InstanceAction]) {
    for action in actions {
      if case .tell(let news) = action { lines.append(news.line("VI_1")) } else { done.append(Stage.word(action)) }
    }
  }

  static func word(_ action: InstanceAction) -> String {
    switch action {
    case .send(let advert): "send \(advert.priority)"
    case .addAddresses: "add"
    case .removeAddresses: "remove"
    case .refreshAddresses: "refresh"
    case .announce(let times): "announce \(times)"
    case .announceSource: "announce source"
    case .entered(let state, let follows): follows ? "\(state.name) (follows)" : state.name
    case .ended(let reason): "end \(reason)"
    case .heardLowerPriority: "heard lower"
    case .changedPriority(let priority): "priority \(priority)"
    case .tell(let news): news.line("")
    }
  }
}
