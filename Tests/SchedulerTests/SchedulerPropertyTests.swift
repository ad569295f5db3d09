import Testing

@testable import Scheduler

/// What holds for every list, tried on many; the seed of a failing one is printed.
struct SchedulerPropertyTests {
  private func list(_ scheduler: Scheduler, _ count: Int, flags: SchedulerFlags = []) -> ServiceModel {
    var service = ServiceModel(scheduler, flags: flags)
    for index in 0..<count { service.add("10.7.\(index / 250).\(index % 250)", weight: 1 + Int32(index % 3)) }
    return service
  }

  /// Where each of many clients goes.
  private func homes(_ service: ServiceModel, clients: UInt32 = 4000) -> [Int] {
    service.withServers { set in
      (0..<clients).map { client in
        var state = SchedulerState()
        let flow = ScheduledFlow(
          clientFold: client &* 0x9e37_79b1, destinationFold: client &* 0x85eb_ca6b, clientPort: 7)
        return service.scheduler.pick(from: set, state: &state, flow: flow, flags: service.flags)
      }
    }
  }

  /// mh: a server that leaves takes its own clients along and hardly anybody else.
  @Test(arguments: 1...4 as ClosedRange<UInt64>) func maglevMovesFew(seed: UInt64) {
    var generator = SplitMix(state: seed)
    var service = list(.maglevHashing, .random(in: 5...30, using: &generator))
    let names = { (service: ServiceModel) in homes(service).map { service.servers[$0].name } }
    let before = names(service)
    let gone = service.servers.randomElement(using: &generator)!.name
    service.remove(gone)
    let after = names(service)
    let moved = zip(before, after).filter { $0 != $1 }.count
    let own = before.filter { $0 == gone }.count
    #expect(moved - own < 4000 * 3 / 100, "seed \(seed): \(moved) of 4000 moved, \(own) were its own")
  }

  /// sh and mh with fallback: an overloaded server's clients move, nobody else does.
  @Test(arguments: [Scheduler.sourceHashing, .maglevHashing], 1...3 as ClosedRange<UInt64>)
  func fallbackMovesNobodyElse(scheduler: Scheduler, seed: UInt64) {
    var generator = SplitMix(state: seed)
    var service = list(scheduler, .random(in: 3...20, using: &generator), flags: .fallback)
    let before = homes(service)
    let position = Int.random(in: 0..<service.servers.count, using: &generator)
    service.overload(service.servers[position].name)
    let after = homes(service)
    for (old, new) in zip(before, after) {
      #expect(old == position ? new >= 0 && new != position : new == old, "seed \(seed)")
    }
  }

  /// sh and dh: a table has every bucket filled, by turns as long as the list is not longer than the table.
  @Test(arguments: [Scheduler.sourceHashing, .destinationHashing]) func tablesAreFull(scheduler: Scheduler) throws {
    for count in [1, 2, 7, 255, 256, 300] {
      let servers = (0..<count).map { _ in HashedServer(weight: 1, lastWeight: 1, addressFold: 0, port: 0) }
      let table = try #require(scheduler.makeTable { servers })
      #expect(table.count == 256 && table.indices.allSatisfy { Int(table[$0]) == $0 % count })
    }
  }

  /// No scheduler gives a new connection to an overloaded or quiescent server; at 1,000 servers as at 3, and with all of
  /// them out there is none. lblc's exception is for destinations it knows; here are none.
  @Test(arguments: Scheduler.allCases, [3, 1000]) func eligibleServersOnly(scheduler: Scheduler, count: Int) {
    var generator = SplitMix(state: UInt64(count))
    var service = list(scheduler, count, flags: .fallback)
    for index in 0..<count {
      let name = service.servers[index].name
      if Int.random(in: 0..<3, using: &generator) == 0 { service.overload(name) }
      service.load(name, active: .random(in: 0...3, using: &generator))
    }
    service.withServers { set in
      var state = SchedulerState(word: 0)
      for client in 0..<200 as Range<UInt32> {
        let flow = ScheduledFlow(
          clientFold: client &* 0x9e37_79b1, destinationFold: client &* 0x85eb_ca6b, destinationLow: UInt64(client))
        let position = scheduler.pick(from: set, state: &state, flow: flow, flags: service.flags)
        #expect((-1..<count).contains(position))
        if position >= 0 { #expect(set.isEligible(at: position)) }
      }
    }
    for server in service.servers { service.overload(server.name) }
    #expect(service.connect() == nil || scheduler == .localityLeastConnection)
  }

  /// The table of lblc and lblcr answers in a few steps: its longest run of full buckets is short.
  @Test func identitiesAreFoundInFewSteps() {
    let service = list(.replicatedLocality, 1000)
    let table = ServerIdentity.makeTable(service.servers.map(\.hashed))
    var (run, longest) = (0, 0)
    for entry in table + table {
      run = entry == RealServerSet.emptyBucket ? 0 : run + 1
      longest = max(longest, run)
    }
    #expect(table.count == 2048 && longest < 48, "\(longest)")
  }
}
