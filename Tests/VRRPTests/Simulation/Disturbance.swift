import Wire

@testable import VRRP

extension History {
  /// Everything goes wrong, for 10 to 40 intervals.
  mutating func disturb() {
    let end = world.now + bounds.interval * (10 + world.chance.below(30))
    while world.now < end {
      run(for: world.chance.below(2 * bounds.interval) + 1)
      disturbOnce()
    }
  }

  private mutating func disturbOnce() {
    let number = Int(world.chance.below(UInt64(world.directors.count)))
    let director = world.directors[number]
    switch world.chance.below(12) {
    case 0:
      if director.power != .dead { world.directors[number].die() } else { boot(number) }
    case 1:
      if director.power == .dead { boot(number) } else if director.power == .running { stop(number) }
    case 2, 3:
      if case .paused = director.power {
        resume(number)
      } else if director.power == .running {
        world.directors[number].power = .paused(losesDatagrams: world.chance.percent(50))
      }
    case 4: setPaused(number) { $0.setLink(!director.hasLink, number) }
    case 5: setPaused(number) { $0.setScript(fails: !director.scriptFails, number) }
    case 6: world.sides = world.sides.map { _ in Int(world.chance.below(2)) }
    case 7: world.sides = world.sides.map { _ in 0 }
    case 8:
      world.weather.loss = Int(world.chance.below(60))
      world.weather.duplicates = Int(world.chance.below(30))
    case 9: world.weather.maxDelay = world.chance.below(2 * bounds.interval) + 1
    case 10: world.junkInterval = world.chance.percent(50) ? 0 : bounds.interval / 5 + 1
    default: setPaused(number) { $0.removeAddress(number) }
    }
  }

  /// What the process notices, it notices while it runs.
  private mutating func setPaused(_ number: Int, _ body: (inout History) -> Void) {
    if case .paused = world.directors[number].power { resume(number) }
    if world.directors[number].power == .running { body(&self) }
  }

  /// The last disturbance: what stands still goes on, what is dead may come back, and the network is well from now on,
  /// though perhaps divided.
  mutating func calm() {
    if world.chance.percent(60) { world.sides = world.sides.map { _ in 0 } }
    world.weather = World.Weather(maxDelay: bounds.delay)
    world.junkInterval = 0
    for number in world.directors.indices {
      switch world.directors[number].power {
      case .paused: resume(number)
      case .dead: if world.chance.percent(50) { boot(number) }
      case .running: break
      }
      if world.chance.percent(70), world.directors[number].power == .running {
        if !world.directors[number].hasLink { setLink(true, number) }
        if world.directors[number].scriptFails { setScript(fails: false, number) }
      }
    }
  }
}
