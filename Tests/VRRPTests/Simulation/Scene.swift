import Wire

@testable import VRRP

/// How the directors of one history are configured.
struct Scene {
  var definitions: [[InstanceDefinition]] = []
  var groups: [SyncGroupDefinition] = []
  /// The longest advert interval.
  var interval: Microseconds = 0
  var usesHeader = false
  var hasTwoOwners = false
  /// All directors take over from masters of lower priority.
  var alwaysPreempts = true
  var junk: [[UInt8]] = []

  init(_ chance: inout Chance) {
    let count = Int.random(in: 2...5, using: &chance)
    let version: InstanceDefinition.Version = chance.percent(50) ? .two : .three
    let isIPv6 = version == .three && chance.percent(30)
    let base: Microseconds = version == .two ? 1_000_000 : chance.pick([10_000, 100_000, 1_000_000])
    let isUnicast = chance.percent(25)
    let lans = chance.percent(15) ? 2 : 1
    let common = Scene.commonRules(base, &chance)
    let authentication: Authentication? =
      switch version == .two ? Int(chance.below(3)) : 0 {
      case 1: .password(AuthenticationKey("1111".utf8))
      case 2: .header(AuthenticationKey("secret12".utf8))
      default: nil
      }
    if case .header = authentication { usesHeader = true }
    let priorities = Scene.priorities(count, &chance)
    hasTwoOwners = priorities.count { $0 == 255 } > 1
    let hasOneInterval = version == .two || chance.percent(70)
    let someNopreempt = chance.percent(20)
    let weight = chance.pick([0, -60])

    for number in 0..<count {
      let source = Scene.address(number, isIPv6)
      let factor: Microseconds = hasOneInterval ? 1 : chance.pick([1, 2])
      var router = InstanceDefinition(
        name: "", virtualRouter: 51, version: version, source: source, addresses: Scene.list(isIPv6, &chance))
      router.priority = priorities[number]
      router.configuredInterval = base * factor
      router.configuredAuthentication = authentication
      router.election = common
      router.election.nopreempt = someNopreempt && chance.percent(50)
      router.reception.usesPlainChecksum = chance.percent(30)
      router.reception.skipsAddressCheck = chance.percent(30)
      router.announcement.masterDelay = 5 * base
      if isUnicast {
        let peers = (0..<count).filter { $0 != number }.map {
          InstanceDefinition.Peer(Scene.address($0, isIPv6))
        }
        router.destination = .peers(peers, hopLimit: 64)
      }
      router.tracked = [TrackedObject(.script, Director.script.name, weight: weight)]
      interval = max(interval, router.interval)
      if router.effectiveElection.nopreempt { alwaysPreempts = false }
      definitions.append((0..<lans).map { Scene.instance(router, $0) })
    }
    if lans == 2 { groups = [SyncGroupDefinition(name: "VG_1", members: ["VI_0", "VI_1"])] }
    junk = Scene.junk(for: definitions[0][0], isIPv6)
  }

  private static func address(_ number: Int, _ isIPv6: Bool) -> IPAddress {
    isIPv6
      ? IPAddress(high: 0xfe80_0000_0000_0000, low: UInt64(11 + number)) : IPAddress(v4: 0x0a63_000b + UInt32(number))
  }

  private static func instance(_ router: InstanceDefinition, _ lan: Int) -> InstanceDefinition {
    var router = router
    router.name = "VI_\(lan)"
    router.interface = "lan\(lan)"
    return router
  }

  private static func commonRules(_ base: Microseconds, _ chance: inout Chance) -> InstanceDefinition.Election {
    var rules = InstanceDefinition.Election()
    rules.downTimerAdverts = chance.pick([3, 3, 3, 2, 5])
    rules.preemptDelay = chance.percent(15) ? base * (2 + chance.below(4)) : 0
    rules.startupDelay = chance.percent(10) ? base * (1 + chance.below(3)) : 0
    rules.lowerPriorityNoAdvert = chance.percent(10)
    rules.higherPrioritySendAdvert = chance.percent(30)
    return rules
  }

  /// Mostly far enough from each other for the skews to count; some are equal, some own the addresses.
  private static func priorities(_ count: Int, _ chance: inout Chance) -> [UInt8] {
    var priorities: [UInt8] = []
    if chance.percent(70) {
      var all = Array(stride(from: UInt8(70), through: 238, by: 14))
      all.shuffle(using: &chance)
      priorities = Array(all.prefix(count))
    } else {
      priorities = (0..<count).map { _ in chance.pick([100, 100, 150, 200]) }
    }
    if chance.percent(12) { priorities[0] = 255 }
    if chance.percent(3) { priorities[1] = 255 }
    return priorities
  }

  /// Not all administrators write the same list.
  private static func list(_ isIPv6: Bool, _ chance: inout Chance) -> [IPAddress] {
    let count: UInt32 = chance.percent(10) ? 3 : 2
    return (0..<count).map {
      isIPv6 ? IPAddress(high: 0xfe80_0000_0000_0000, low: UInt64(0x100 + $0)) : IPAddress(v4: 0x0a63_0064 + $0)
    }
  }

  /// Adverts that no router may take: of another version, password or interval, with a wrong checksum, from behind a router.
  private static func junk(for definition: InstanceDefinition, _ isIPv6: Bool) -> [[UInt8]] {
    var stranger = definition
    stranger.source = address(189, isIPv6)
    stranger.destination = .group(isIPv6 ? VRRPAdvertisement.group6 : VRRPAdvertisement.group4)
    stranger.priority = 254
    let write = { (definition: InstanceDefinition) in
      var writer = AdvertWriter()
      return writer.adverts(of: definition, priority: 254)[0].bytes
    }
    var broken = write(stranger)
    broken[broken.count - 9] ^= 1
    var distant = write(stranger)
    distant[isIPv6 ? 7 : 8] = 3
    var other = stranger
    other.version = definition.version == .two ? .three : .two
    var signed = stranger
    if isIPv6 || definition.version == .three { return [broken, distant, write(other)] }
    signed.configuredAuthentication = .password(AuthenticationKey("wrong".utf8))
    var slow = stranger
    slow.configuredInterval = 7_000_000
    return [broken, distant, write(other), write(signed), write(slow)]
  }
}
