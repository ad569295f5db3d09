import Testing

@testable import Scheduler

struct ReplicatedLocalityTests {
  private let flow = ScheduledFlow(to: 1)

  /// The set of destination 1, newest member first.
  private func members(of service: ServiceModel) throws -> [String] {
    let cache = try #require(service.memory?.cache)
    return cache.members(at: cache.find(flow)).map { identity in
      service.servers.first { $0.hashed.identity == identity }?.name ?? "?"
    }
  }

  @Test func vector() throws {
    var service = ServiceModel(.replicatedLocality, boundWith: "A1 B1")
    #expect(service.picks(8, as: .tcp, flow) == "B B A A A B A B")
    #expect(try members(of: service) == ["A", "B"])
  }

  @Test func newMembersComeFirst() throws {
    var service = ServiceModel(.replicatedLocality, boundWith: "A1 B1 C1 D1")
    #expect(service.picks(8, as: .tcp, flow) == "D D C C B B A A")
    #expect(try members(of: service) == ["A", "B", "C", "D"])
    #expect(service.picks(4, as: .tcp, flow) == "A B C D", "all have two, the newest of the set is first")
  }

  @Test func memberThatCannotBePickedIsPassedOver() throws {
    var service = ServiceModel(.replicatedLocality, boundWith: "A1 B1 C1")
    #expect(service.picks(4, as: .tcp, flow) == "C C B B")
    service.overload("C")
    service.edit("B", weight: 0)
    #expect(service.connect(flow) == "A")
    service.overload("A")
    #expect(service.connect(flow) == nil)
    service.edit("B", weight: 1)
    #expect(service.connect(flow) == "B")
    #expect(try members(of: service) == ["A", "B", "C"])
  }

  @Test func unchangedSetGivesUpItsMostLoaded() throws {
    var service = ServiceModel(.replicatedLocality, boundWith: "A1 B1 C1")
    #expect(service.picks(6, as: .tcp, flow) == "C C B B A A")
    service.load("B", active: 90)
    #expect(service.connect(ScheduledFlow(to: 1, seconds: 86_400)) == "A")
    #expect(try members(of: service) == ["A", "B", "C"], "not before the time is over")
    #expect(service.connect(ScheduledFlow(to: 1, seconds: 86_401)) == "C")
    #expect(try members(of: service) == ["A", "C"])
    #expect(service.connect(ScheduledFlow(to: 1, seconds: 86_402)) == "A")
    #expect(try members(of: service) == ["A", "C"], "it has just changed")
    service.load("A", active: 50)
    #expect(service.connect(ScheduledFlow(to: 1, seconds: 172_900)) == "C")
    #expect(try members(of: service) == ["C"])
    service.load("C", active: 50)
    #expect(service.connect(ScheduledFlow(to: 1, seconds: 300_000)) == "C")
    #expect(try members(of: service) == ["C"], "the last one stays")
  }

  /// Also where products do not fit a word.
  @Test(arguments: [1, 1000, 1 << 22, 1 << 23, (1 << 31) - 10] as [UInt64])
  func leastLoadedOfMany(active: UInt64) throws {
    var service = ServiceModel(.replicatedLocality, boundWith: "A1 B1 C1 D1 E1 F1 G1 H1 I1")
    #expect(service.picks(18, as: .tcp, flow).count == 35)
    #expect(try members(of: service).count == 9)
    for name in ["A", "B", "C", "D", "E", "F", "G", "H", "I"] { service.load(name, active: active + 9) }
    for name in ["C", "I", "A"] {
      service.load(name, active: active + 8)
      #expect(service.connect(flow) == name)
      service.load(name, active: active + 9)
    }
    service.load("H", active: active + 8)
    service.overload("H")
    service.load("B", active: active + 8, inactive: 7)
    #expect(service.connect(flow) == "B")
  }

  /// A list that changes is another list to all its destinations: weights, servers that leave, come and change places.
  @Test func changedListsAreSeen() throws {
    var service = ServiceModel(.replicatedLocality, boundWith: "A1 B1 C1 D1 E1 F1 G1 H1 I1")
    #expect(service.picks(18, as: .tcp, flow).count == 35)
    for name in ["A", "B", "C", "D", "E", "F", "G", "H", "I"] { service.load(name, active: 20) }
    service.edit("E", weight: 2)
    #expect(service.connect(flow) == "E")
    service.edit("E", weight: 0)
    service.edit("B", weight: 3)
    #expect(service.connect(flow) == "B")
    service.remove("B")
    service.edit("I", weight: 2)
    #expect(service.connect(flow) == "I")
    service.remove("I")
    #expect(service.connect(flow) == "A", "all alike: the newest of the set")
    service.add("I", weight: 4)
    #expect(service.connect(flow) == "I")
  }

  @Test func expirationCanBeSet() throws {
    var service = ServiceModel(.replicatedLocality, boundWith: "A1 B1")
    service.memory?.cache.setExpiration(seconds: 10)
    #expect(service.picks(5, as: .tcp, flow) == "B B A A A")
    #expect(service.connect(ScheduledFlow(to: 1, seconds: 11)) == "B")
    #expect(try members(of: service) == ["B"])
  }

  /// A list that has turned over many times leaves no more members in a set than the list is long, or one node has room for.
  @Test func setIsNoLargerThanTheList() throws {
    var service = ServiceModel(.replicatedLocality, boundWith: "A1 B1")
    #expect(service.picks(4, as: .tcp, flow) == "B B A A")
    for index in 0..<100 {
      service.add("10.9.0.\(index)", weight: 1)
      service.remove(service.servers.last!.name)
      _ = service.connect(flow)
      #expect(try members(of: service).count <= 7 + 1)
    }
  }

  /// Against a plain model: sets as arrays. With servers that come, go and change, and time that passes; few servers, and
  /// so many that a set takes several nodes.
  @Test(arguments: [4, 24], 1...4 as ClosedRange<UInt64>) func picksAreThoseOfAPlainModel(count: Int, seed: UInt64) {
    var generator = SplitMix(state: seed)
    let names = (0..<count).map { String(UnicodeScalar(UInt8(65 + $0))) }
    var service = ServiceModel(
      .replicatedLocality,
      boundWith: names.map { "\($0)\(Int.random(in: 1...4, using: &generator))" }.joined(separator: " "))
    var sets: [UInt32: (members: [String], modified: UInt32)] = [:]
    var seconds: UInt32 = 0
    for step in 0..<4000 {
      seconds += UInt32.random(in: 0..<200, using: &generator)
      let destination = UInt32.random(in: 1...5, using: &generator)
      let expected = PlainLocality.pick(&sets, destination, seconds, service)
      let got = service.connect(ScheduledFlow(to: destination, seconds: seconds))
      #expect(got == expected, "seed \(seed), step \(step)")
      guard got == expected else { return }
      let name = names.randomElement(using: &generator)!
      let isThere = service.servers.contains { $0.name == name }
      let event = Int.random(in: 0..<12, using: &generator)
      if !isThere {
        if event < 6 { service.add(name, weight: .random(in: 0...4, using: &generator)) }
        continue
      }
      switch event {
      case 0: service.overload(name, Bool.random(using: &generator))
      case 1: service.edit(name, weight: .random(in: 0...4, using: &generator))
      case 2...7: service.load(name, active: .random(in: 0...6, using: &generator), inactive: 3)
      case 8 where step % 4 == 0: service.remove(name)
      default: break
      }
    }
  }
}

/// lblcr once more, in the plainest words.
private enum PlainLocality {
  static func pick(
    _ sets: inout [UInt32: (members: [String], modified: UInt32)], _ destination: UInt32, _ now: UInt32,
    _ service: ServiceModel
  ) -> String? {
    func server(_ name: String) -> ServiceModel.Server { service.servers.first { $0.name == name }! }
    func isThere(_ name: String) -> Bool { service.servers.contains { $0.name == name } }
    func counts(_ name: String) -> UInt64 { service.connections[Int(server(name).identifier)] }
    func overhead(_ name: String) -> Int { Int(counts(name) >> 32) * 256 + Int(counts(name) & 0xffff_ffff) }
    func weight(_ name: String) -> Int { isThere(name) ? Int(server(name).weight) : 0 }
    func isFree(_ name: String) -> Bool { service.overloaded[Int(server(name).identifier)] == 0 }
    func least(_ names: [String]) -> String? {
      var best: String?
      for name in names where weight(name) > 0 && isFree(name) {
        if let old = best, overhead(old) * weight(name) <= overhead(name) * weight(old) { continue }
        best = name
      }
      return best
    }
    let all = service.servers.map(\.name)
    if var set = sets[destination] {
      let chosen = least(set.members)
      if set.members.count > 1 && now > set.modified + 86_400 {
        var worst: String?
        for name in set.members where weight(name) > 0 {
          if let old = worst, overhead(name) * weight(old) <= overhead(old) * weight(name) { continue }
          worst = name
        }
        if let worst {
          set.members.removeAll { $0 == worst }
          set.modified = now
          sets[destination] = set
        }
      }
      if let chosen {
        let active = { (name: String) in Int(counts(name) >> 32) }
        let isCrowded = active(chosen) > weight(chosen) && all.contains { active($0) * 2 < weight($0) }
        if !isCrowded { return chosen }
      }
    }
    guard let winner = least(all) else { return nil }
    var set = sets[destination] ?? ([], now)
    if !set.members.contains(winner) {
      if set.members.count >= max(all.count, 7), let stranger = set.members.firstIndex(where: { !isThere($0) }) {
        set.members.remove(at: stranger)
      }
      set = ([winner] + set.members, now)
    }
    sets[destination] = set
    return winner
  }
}
