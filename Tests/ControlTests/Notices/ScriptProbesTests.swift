import NIOCore
import NIOPosix
import Scripts
import Testing
import Wire

@testable import Control
@testable import HealthCheck

/// What scripts say of servers.
struct ScriptProbesTests {
  @Test(arguments: [
    (ScriptResult.exited(status: 0), false, AttemptResult.well()), (.exited(status: 0), true, .well()),
    (.exited(status: 1), false, .failed(.exited(1))), (.exited(status: 1), true, .failed(.exited(1))),
    (.exited(status: 2), false, .failed(.exited(2))), (.exited(status: 2), true, .well(.replace(0))),
    (.exited(status: 255), true, .well(.replace(253))), (.signalled(9), true, .failed(.signalled(9))),
    (.timedOut, true, .failed(.scriptTimeout)),
  ])
  func ends(result: ScriptResult, isDynamic: Bool, verdict: AttemptResult) {
    #expect(ScriptProbe.verdict(result, isDynamic: isDynamic) == verdict)
  }

  private static func attempt(
    _ words: [String], isDynamic: Bool = false, runner: ScriptRunner = ScriptRunner()
  )
    async throws -> AttemptResult
  {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    var definition = ScriptDefinition(words: words, timeout: .seconds(60))
    definition.isDynamic = isDynamic
    let check = NamedCheck(
      id: CheckID(service: "s", server: "r", number: 0),
      definition: CheckDefinition(
        .script(definition), target: CheckTarget(Endpoint(address: IPAddress(v4: 1), port: 1)), times: CheckTimes()))
    let end = loop.makePromise(of: AttemptResult.self)
    loop.execute {
      guard let probe = ScriptProbes(runner: runner).probe(for: check, on: loop) else {
        return end.fail(CheckError.malformed)
      }
      probe.begin(page: 0) {
        end.succeed($0)
        // Holds on to the probe as the engine's runner does.
        probe.cancel()
      }
    }
    return try await end.futureResult.get()
  }

  @Test func aScriptRunsAndItsStatusDecides() async throws {
    #expect(try await ScriptProbesTests.attempt(["/bin/sh", "-c", "exit 0"]) == .well())
    #expect(try await ScriptProbesTests.attempt(["/bin/sh", "-c", "exit 7"]) == .failed(.exited(7)))
    #expect(try await ScriptProbesTests.attempt(["/bin/sh", "-c", "exit 7"], isDynamic: true) == .well(.replace(5)))
  }

  /// keepalived leaves such a check out, and the server counts as up.
  @Test func aMissingScriptIsAFailure() async throws {
    guard case .failed(let error) = try await ScriptProbesTests.attempt(["/nowhere/check.sh"]) else {
      Issue.record("not a failure")
      return
    }
    #expect(error.reason.hasPrefix("cannot run /nowhere/check.sh: No such file or directory"))
  }
}
