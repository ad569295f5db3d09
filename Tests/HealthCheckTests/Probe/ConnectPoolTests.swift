import Glibc
import NIOCore
import NIOPosix
import Testing
import Wire

@testable import HealthCheck

@Suite struct ConnectPoolTests {
  private let loop = MultiThreadedEventLoopGroup.singleton.next()

  /// What becomes of connections that are begun together; nil for one that is taken back.
  private func results(
    of targets: [CheckTarget], within timeout: Duration, cancelled: Set<Int> = []
  ) async throws -> [AttemptResult?] {
    let promise = loop.makePromise(of: [AttemptResult?].self)
    let loop = loop
    loop.execute {
      do {
        let pool = try ConnectPool(on: loop)
        var results = [AttemptResult?](repeating: nil, count: targets.count)
        var left = targets.count - cancelled.count
        func note(_ number: Int, _ result: AttemptResult) {
          #expect(results[number] == nil && !cancelled.contains(number))
          results[number] = result
          left -= 1
          // The pool lives as long as somebody waits.
          if left == 0 { withExtendedLifetime(pool) { promise.succeed(results) } }
        }
        for (number, target) in targets.enumerated() {
          do throws(CheckError) {
            let ticket = try pool.connect(to: target, within: timeout) { note(number, $0) }
            if cancelled.contains(number) {
              pool.cancel(ticket)
              pool.cancel(ticket)
            }
          } catch {
            note(number, AttemptResult(error))
          }
        }
      } catch {
        promise.fail(error)
      }
    }
    return try await promise.futureResult.get()
  }

  @Test func manyAtOnce() async throws {
    let server = try await ScriptedServer([])
    let targets = (0..<200).map { _ in CheckTarget(server.endpoint) }
    let results = try await results(of: targets, within: .seconds(30), cancelled: [3, 77, 199])
    #expect(results.indices.allSatisfy { results[$0] == ([3, 77, 199].contains($0) ? nil : .well()) })
    try await server.stop()
  }

  @Test func refusedAndSilent() async throws {
    let server = try await ScriptedServer([])
    let closed = server.endpoint
    try await server.stop()
    let listener = try #require(FullListener())
    let results = try await results(
      of: [CheckTarget(closed), CheckTarget(listener.endpoint), CheckTarget(closed)], within: .milliseconds(50))
    #expect(results == [.failed(.connect(ECONNREFUSED)), .failed(.connectTimeout), .failed(.connect(ECONNREFUSED))])
    withExtendedLifetime(listener) {}
  }

  @Test func onlyWhatWantsNothingElse() {
    var target = CheckTarget(Samples.endpoint("127.0.0.1", 80))
    #expect(ConnectPool.serves(target))
    target.mark = 1
    #expect(!ConnectPool.serves(target))
    target.mark = 0
    target.way = CheckWay(.tcp, service: target.endpoint, server: target.endpoint)
    #expect(!ConnectPool.serves(target))
  }
}
