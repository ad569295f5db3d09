import Wire

@testable import VRRP

// One history, which its seed decides: directors are configured somehow and start; then everything goes wrong for a while;
// then nothing happens any more, and things must settle within the bounds; then the master fails, comes back, and a backup
// stands still, each in peace, so that who becomes master can be told beforehand.

/// A history and what it has shown.
struct History {
  let seed: UInt64
  let scene: Scene
  let bounds: Bounds
  var world: World
  /// What was wrong first.
  private(set) var failure: String?

  init(seed: UInt64, flaw: Flaw? = nil) {
    self.seed = seed
    var chance = Chance(seed)
    let scene = Scene(&chance)
    self.scene = scene
    // Less than the difference of the skews of two priorities that are 14 apart.
    bounds = Bounds(scene, delay: max(2, scene.interval / 64))
    var drift = chance
    let directors = scene.definitions.indices.map { number in
      Director(
        number: number, definitions: scene.definitions[number], groups: scene.groups, flaw: flaw,
        clockStart: drift.below(1 << 40), drift: Int64(drift.below(400)) - 200)
    }
    world = World(directors, chance: Chance(drift.next()))
    world.junk = scene.junk
  }

  /// - Returns: what was wrong; nil when nothing was.
  mutating func run() -> String? {
    world.weather.maxDelay = bounds.delay
    for number in world.directors.indices { boot(number) }
    let steps: [(inout History) -> Void] = [
      { $0.disturb() }, { $0.settle() }, { $0.endure() }, { $0.loseMaster() }, { $0.pauseBackup() },
    ]
    for step in steps where failure == nil { step(&self) }
    return failure.map { "seed \(seed): \($0)\n\(summary)" }
  }

  /// The scene and how it ended, for whoever looks into a failure.
  private var summary: String {
    let first = scene.definitions[0][0]
    let head =
      "  v\(first.version.rawValue) \(first.family), \(first.authentication.map { "\($0)" } ?? "no authentication"), "
    let directors = world.directors.map { director in
      let machine = director.engine.machines[0]
      let rules = director.definitions[0].effectiveElection
      return "  director \(director.number) \(director.power) side \(world.sides[director.number]): "
        + "\(director.definitions.indices.map { director.state($0).name }) base \(machine.basePriority) "
        + "now \(machine.priority), every \(director.definitions[0].interval) µs, nopreempt \(rules.nopreempt), "
        + "sequence \(machine.writer.sequence.last), refused \(machine.lastRejection.map { "\($0)" } ?? "nothing")"
    }
    return ([head + "\(first.destination), \(first.effectiveElection)"] + directors).joined(separator: "\n")
  }

  mutating func fail(_ text: String) {
    if failure == nil { failure = "\(text), at \(world.now) µs" }
  }

  mutating func run(for time: Microseconds) {
    world.run(until: world.now + time)
    for director in world.directors {
      if let violation = director.violation { fail(violation) }
    }
  }

  // MARK: - Doing things to directors

  mutating func boot(_ number: Int) {
    world.send(world.directors[number].boot(at: world.now), from: number)
  }

  mutating func resume(_ number: Int) {
    world.send(world.directors[number].resume(at: world.now), from: number)
  }

  mutating func stop(_ number: Int) {
    world.send(world.directors[number].stop(at: world.now), from: number)
  }

  mutating func setLink(_ isUp: Bool, _ number: Int) {
    world.send(world.directors[number].setLink(isUp, at: world.now), from: number)
  }

  mutating func setScript(fails: Bool, _ number: Int) {
    world.send(world.directors[number].setScript(fails: fails, at: world.now), from: number)
  }

  mutating func removeAddress(_ number: Int) {
    let name = world.directors[number].definitions[0].name
    let now = world.directors[number].local(world.now)
    guard let address = world.directors[number].definitions[0].addresses.first else { return }
    let done = world.directors[number].engine.handle(.lostAddress(address), of: name, at: now)
    world.send(world.directors[number].carryOut(done, at: world.now), from: number)
  }
}
