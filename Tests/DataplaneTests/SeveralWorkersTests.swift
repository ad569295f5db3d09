import Dispatch
import Scheduler
import Testing
import Wire

@testable import Dataplane

/// Several workers on one dataplane: which servers they choose, compared with one worker, and while they race.
@Suite(.serialized) struct SeveralWorkersTests {
  /// Workers without threads over one dataplane.
  private struct Workers: @unchecked Sendable {
    let director: Director
    let pipelines: [MemoryPipeline]

    init(_ service: TestService, count: Int, connections: Int = 65_536) throws {
      director = try Director(service, connections: connections)
      // Each worker has its share of them.
      director.settings.errorLimits = .unlimited
      director.publish()
      let dataplane = director.dataplane
      dataplane.serversChanged(
        service: 0, scheduler: service.scheduler, pace: Scheduler.pace(of: service.weights), .bound)
      let nanoseconds = director.nanoseconds
      pipelines = try (0..<count).map { number in
        let pipeline = try MemoryPipeline(
          dataplane, interfaces: [Network.outside, Network.inside], frameCount: 128, worker: number, workerCount: count)
        pipeline.setClock(nanoseconds: nanoseconds)
        return pipeline
      }
    }

    /// One frame, taken by a worker: the number of the server that got it; -1 when it went nowhere.
    func send(_ packet: TestPacket, to worker: Int) -> Int {
      let pipeline = pipelines[worker]
      guard packet.arriving.withUnsafeBytes({ pipeline.offer($0, interface: 0) }) else { return -1 }
      pipeline.turn()
      var station = -1
      pipeline.forEachTransmitted { sent in
        station = Int(sent.bytes[5]) - 0x0b
      }
      return station
    }

    var counts: [Int] {
      director.services[0].weights.indices.map { Int(director.connections(0, $0).reduce(0, +)) }
    }
  }

  private static func request(_ service: TestService, client: UInt32, port: UInt16 = 40_000) -> TestPacket {
    .request(service, port: port).with { $0.source = IPAddress(v4: 0xac10_0000 + client) }
  }

  /// Frames one after the other, each to any worker: whatever the scheduler, each gets the server that a single worker would
  /// have chosen, for what schedulers go by is shared.
  @Test(arguments: Scheduler.allCases.filter { $0 != .nobody }, [2, 3, 8])
  func picksInOrderAreThoseOfOneWorker(scheduler: Scheduler, count: Int) throws {
    var random = SplitMix(seed: UInt64(count) &* 977 &+ UInt64(scheduler.rawValue))
    let service = TestService(weights: [3, 1, 2, 1], scheduler: scheduler)
    let one = try Workers(service, count: 1)
    let several = try Workers(service, count: count)
    var met: Set<Int> = []
    for step in 0..<400 {
      let client = UInt32(random.next(below: 60))
      let port = UInt16(20_000 + random.next(below: 4000))
      let worker = random.next(below: count)
      let flags = random.next(below: 4) == 0 ? TCP.fin | TCP.ack : TCP.syn
      let packet = Self.request(service, client: client, port: port).with { $0.flags = flags }
      let expected = one.send(packet, to: 0)
      #expect(several.send(packet, to: worker) == expected, "\(scheduler.name), \(count) workers, step \(step)")
      met.insert(expected)
    }
    #expect(met.contains { $0 >= 0 })
    #expect(one.counts == several.counts)
  }

  /// Workers at once, each with clients of its own: what all have opened is shared out as the scheduler says. rr and wrr to
  /// the connection; lc and wlc to as many as were being opened at the time.
  @Test(arguments: [Scheduler.roundRobin, .weightedRoundRobin, .leastConnection, .weightedLeastConnection], [2, 4, 8])
  func racingWorkersShareEvenly(scheduler: Scheduler, count: Int) throws {
    let isWeighted = scheduler == .weightedRoundRobin || scheduler == .weightedLeastConnection
    let weights: [Int32] = isWeighted ? [1, 2, 3, 4] : [1, 1, 1, 1]
    let service = TestService(weights: weights, scheduler: scheduler)
    let workers = try Workers(service, count: count)
    let perWorker = 2000
    DispatchQueue.concurrentPerform(iterations: count) { worker in
      for client in 0..<perWorker {
        let port = UInt16(10_000 + client)
        _ = workers.send(Self.request(service, client: UInt32(worker), port: port), to: worker)
      }
    }
    let total = weights.reduce(0) { $0 + Int($1) }
    let excess = zip(workers.counts, weights).map { $0 - count * perWorker * Int($1) / total }
    #expect(workers.counts.reduce(0, +) == count * perWorker)
    let bound = scheduler == .roundRobin || scheduler == .weightedRoundRobin ? 0 : count
    #expect(excess.allSatisfy { abs($0) <= bound }, "\(scheduler.name), \(count) workers: \(excess)")
  }

  /// Each client's connections come by all workers at once: they meet one server.
  @Test(arguments: [Scheduler.roundRobin, .weightedLeastConnection], [2, 8])
  func racingWorkersKeepAClientTogether(scheduler: Scheduler, count: Int) throws {
    let service = TestService(
      weights: [1, 1, 1, 1], scheduler: scheduler, persistence: .init(seconds: 300))
    let workers = try Workers(service, count: count)
    let clients = 500
    nonisolated(unsafe) let stations = UnsafeMutablePointer<Int>.allocate(capacity: clients * count)
    defer { stations.deallocate() }
    DispatchQueue.concurrentPerform(iterations: count) { worker in
      for client in 0..<clients {
        let packet = Self.request(service, client: UInt32(client), port: UInt16(10_000 + worker))
        stations[client * count + worker] = workers.send(packet, to: worker)
      }
    }
    for client in 0..<clients {
      let met = Set((0..<count).map { stations[client * count + $0] })
      #expect(met.count == 1 && !met.contains(-1), "client \(client): \(met)")
    }
    let templates = (0..<4).map { workers.director.dataplane.templates(ofServer: Director.serverNumber(0, $0)) }
    #expect(templates.reduce(0, +) == clients && workers.counts.reduce(0, +) == clients * count)
  }
}
