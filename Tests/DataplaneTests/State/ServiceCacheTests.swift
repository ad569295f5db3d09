import Scheduler
import Testing
import Wire

@testable import Dataplane

/// The caches of lblc and lblcr between control and workers.
struct ServiceCacheTests {
  private static let schedulers = [Scheduler.localityLeastConnection, .replicatedLocality]

  private func caches(_ director: Director) -> [DestinationCache] {
    let view = director.dataplane.snapshot
    return (0..<view.pointee.cacheCount).map { view.pointee.caches[$0] }
  }

  @Test func thereIsOneForServicesThatNeedIt() throws {
    let director = try Director([
      TestService(), TestService(port: 81, scheduler: .localityLeastConnection),
      TestService(port: 82, scheduler: .replicatedLocality),
    ])
    #expect(caches(director).count == 2)
    director.services[1].scheduler = .weightedLeastConnection
    director.publish()
    #expect(caches(director).count == 1)
  }

  @Test(arguments: schedulers, [IPAddress.Family.ipv4, .ipv6])
  func destinationIsRememberedAcrossSnapshotsUntilBoundAnew(scheduler: Scheduler, family: IPAddress.Family) throws {
    let director = try Director(TestService(family: family, weights: [9, 9], scheduler: scheduler))
    let service = director.services[0]
    for port in UInt16(40_000)..<40_003 { _ = director.fromClient(.request(service, port: port)) }
    #expect(director.connections(0, 0) == [3, 0])
    #expect(caches(director).map(\.count) == [1])
    director.publish()
    director.publish()
    _ = director.fromClient(.request(service, port: 40_003))
    #expect(director.connections(0, 0) == [4, 0])
    director.dataplane.serversChanged(service: 0, scheduler: scheduler, pace: (1, 0), .edited)
    _ = director.fromClient(.request(service, port: 40_004))
    #expect(director.connections(0, 0) == [5, 0])
    director.dataplane.serversChanged(service: 0, scheduler: scheduler, pace: (1, 0), .bound)
    _ = director.fromClient(.request(service, port: 40_005))
    #expect(director.connections(0, 1) == [1, 0])
    director.verify()
  }

  /// A server may be picked that was unknown to the cache, one may leave, in the middle of traffic.
  @Test(arguments: schedulers) func serverLeaves(scheduler: Scheduler) throws {
    let director = try Director(TestService(weights: [9, 9], scheduler: scheduler))
    let service = director.services[0]
    _ = director.fromClient(.request(service, port: 40_000))
    director.services[0].removed = [0]
    director.publish()
    _ = director.fromClient(.request(service, port: 40_001))
    #expect(director.connections(0, 0) == [1, 0] && director.connections(0, 1) == [1, 0])
  }

  /// The worker itself forgets: a day of turns, each a minute on.
  @Test(arguments: schedulers) func workerForgetsAfterADay(scheduler: Scheduler) throws {
    let director = try Director(TestService(weights: [9, 9], scheduler: scheduler))
    _ = director.fromClient(.request(director.services[0], port: 40_000))
    func turns(_ count: Int) {
      for _ in 0..<count {
        director.advance(seconds: 60)
        // A full run takes 256 turns, 16 buckets each; it has half an hour.
        for _ in 0..<12 { _ = director.send([]) }
      }
    }
    turns(1439)
    #expect(caches(director).map(\.count) == [1])
    turns(32)
    #expect(caches(director).map(\.count) == [0])
  }

  /// Replay jumps: the runs that fell into the time are made up for.
  @Test func jumpOfTheClockIsMadeUpFor() throws {
    let director = try Director(TestService(weights: [9, 9], scheduler: .localityLeastConnection))
    _ = director.fromClient(.request(director.services[0], port: 40_000))
    director.advance(seconds: 86_000)
    director.sweep()
    #expect(caches(director).map(\.count) == [1])
    director.advance(seconds: 3600)
    director.sweep()
    #expect(caches(director).map(\.count) == [0])
  }

  @Test func expirationIsPublished() throws {
    let director = try Director(TestService(weights: [9, 9], scheduler: .localityLeastConnection))
    var description = director.description
    description.settings.lblcSeconds = 100
    director.dataplane.publish(description)
    _ = director.fromClient(.request(director.services[0], port: 40_000))
    director.advance(seconds: 1801)
    director.sweep()
    #expect(caches(director).map(\.count) == [0])
  }

  /// Under one seed the same choices, under another others.
  @Test func chanceFollowsTheSeed() throws {
    func word(seed: UInt64) throws -> UInt64 {
      let director = try Director([TestService(weights: [1, 1, 1, 1], scheduler: .twoChoices)], seed: seed)
      director.dataplane.serversChanged(service: 0, scheduler: .twoChoices, pace: (1, 0), .bound)
      return director.dataplane.shared.state.schedulerStates[0]
    }
    #expect(try word(seed: 1) == word(seed: 1))
    #expect(try word(seed: 1) != word(seed: 2))
  }

  @Test func nobodyGetsNothing() throws {
    let director = try Director(TestService(weights: [1], scheduler: .nobody))
    #expect(director.fromClient(.request(director.services[0], port: 40_000)).outcome == .noServerAvailable)
    director.services[0].scheduler = .roundRobin
    director.publish()
    #expect(director.fromClient(.request(director.services[0], port: 40_000)).outcome == .directRouting)
    director.services[0].scheduler = .nobody
    director.publish()
    #expect(director.fromClient(.request(director.services[0], TCP.ack)).outcome == .directRouting)
  }
}
