import Testing
import Wire

@testable import VRRP

#if canImport(Glibc)
  import Glibc
#endif

/// Hostile datagrams, with and without authentication: nothing traps, what is refused changes nothing but counters, and
/// no flood of them keeps a master from advertising or a backup from taking over.
///
/// `LBD_FUZZ_SEED` sets which, `LBD_FUZZ_SECONDS` how long each kind is repeated with the seeds that follow (0: once);
/// seeds are printed.
@Suite struct AdvertFuzzTests {
  private static func setting(_ name: String) -> UInt64? {
    getenv(name).flatMap { UInt64(String(cString: $0)) }
  }

  static let authentications: [Authentication?] = [
    nil, .password(AuthenticationKey("1111".utf8)), .header(AuthenticationKey("secret12".utf8)),
  ]

  private static func definition(_ kind: Int, isIPv6: Bool) -> InstanceDefinition {
    var definition = Stage.definition(version: isIPv6 || kind == 3 ? .three : .two)
    if isIPv6 {
      definition.source = IPAddress("fe80::12")!
      definition.destination = .group(VRRPAdvertisement.group6)
      definition.addresses = [IPAddress("fe80::100")!, IPAddress("2001:db8::100")!]
    }
    if kind < 3 { definition.configuredAuthentication = authentications[kind] }
    return definition
  }

  /// A good advert with some bytes changed, cut or added, or noise.
  private static func hostile(_ good: [UInt8], _ chance: inout Chance) -> [UInt8] {
    if chance.percent(10) { return (0..<chance.below(120)).map { _ in UInt8(truncatingIfNeeded: chance.next()) } }
    var bytes = good
    for _ in 0...chance.below(4) {
      let place = Int(chance.below(UInt64(bytes.count)))
      bytes[place] = chance.percent(50) ? UInt8(truncatingIfNeeded: chance.next()) : bytes[place] ^ 1
    }
    if chance.percent(20) { bytes = Array(bytes.prefix(Int(chance.below(UInt64(bytes.count))))) }
    if chance.percent(20) { bytes += [UInt8](repeating: 0xff, count: Int(chance.below(40))) }
    return bytes
  }

  @Test(arguments: 0...3, [false, true]) func survives(kind: Int, isIPv6: Bool) {
    var seed = Self.setting("LBD_FUZZ_SEED") ?? UInt64.random(in: 0..<1 << 48)
    let end = time(nil) + Int(clamping: Self.setting("LBD_FUZZ_SECONDS") ?? 0)
    repeat {
      print("advert fuzz: seed \(seed), kind \(kind), IPv6 \(isIPv6)")
      play(seed, kind, isIPv6)
      seed += 1
    } while time(nil) < end
  }

  private func play(_ seed: UInt64, _ kind: Int, _ isIPv6: Bool) {
    var chance = Chance(seed)
    let ours = Self.definition(kind, isIPv6: isIPv6)
    var theirs = ours
    theirs.source = isIPv6 ? IPAddress("fe80::11")! : Stage.lower
    var sender = AdvertWriter()
    var stage = Stage.started(ours)
    for step in 0..<20_000 {
      stage.run(until: UInt64(step) * 500)
      let good = sender.adverts(of: theirs, priority: UInt8(chance.below(256)))[0].bytes
      let bytes = Self.hostile(good, &chance)
      let due = stage.machine.due
      let refused = stage.machine.lastRejection?.at
      let now = stage.now
      let actions = bytes.withUnsafeBytes { packet -> [InstanceAction] in
        guard let datagram = isIPv6 ? Datagram(ipv6: packet) : Datagram(ipv4: packet) else { return [] }
        return stage.machine.receive(datagram, at: now)
      }
      if stage.machine.lastRejection?.at != refused { #expect(stage.machine.due == due, "seed \(seed)") }
      stage.note(actions)
    }
    #expect(stage.machine.counters.received > 1_000)
    #expect(Rejection.allCases.count { stage.machine.counters.rejected($0) > 0 } >= 3)
  }

  /// Refused adverts, two thousand a second: a master says what it says every second.
  @Test func junkDoesNotSilenceAMaster() {
    var stage = Stage.master(Stage.definition())
    var stranger = Stage.definition(priority: 254)
    stranger.source = Stage.higher
    stranger.configuredInterval = 9_000_000
    var sender = AdvertWriter()
    let junk = sender.adverts(of: stranger, priority: 254)[0].bytes
    for step in 1...20_000 {
      stage.run(until: 10_000_000 + UInt64(step) * 500)
      stage.receive(junk)
    }
    #expect(stage.machine.counters.rejected(.interval) == 20_000)
    #expect(stage.take() == [String](repeating: "send 100", count: 10))
  }

  /// Refused adverts do not keep a backup from taking over.
  @Test func junkDoesNotHoldABackup() {
    var stage = Stage.started(Stage.definition())
    stage.receive([0x45])
    var stranger = Stage.definition(priority: 254)
    stranger.source = Stage.higher
    stranger.version = .three
    var sender = AdvertWriter()
    let junk = sender.adverts(of: stranger, priority: 254)[0].bytes
    while stage.machine.state == .backup, stage.now < 60_000_000 {
      stage.run(until: stage.now + 10_000)
      stage.receive(junk)
    }
    #expect(stage.machine.since == 3_609_375)
  }
}
