import Glibc
import Testing

@testable import Lab

@Suite struct CommandTests {
  @Test func capturesBothStreamsAndTheCode() throws {
    let result = try Command.run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    #expect(result.output == "out\n")
    #expect(result.errors == "err\n")
    #expect(result.status == 3)
    #expect(!result.timedOut)
  }

  @Test func argumentsAreNotInterpreted() throws {
    let hostile = "a b;$(reboot)`x`'\"\\"
    #expect(try Command.check(["printf", "%s", hostile]) == hostile)
  }

  @Test func manyBytesDoNotBlock() throws {
    let result = try Command.run(["head", "-c", "3000000", "/dev/zero"])
    #expect(result.output.utf8.count == 3_000_000)
  }

  @Test func standardInputIsEmpty() throws {
    #expect(try Command.check(["cat"]).isEmpty)
  }

  @Test func overstayersAreKilledWithTheirChildren() throws {
    let started = monotonicSeconds()
    let result = try Command.run(["sh", "-c", "sleep 60 & sleep 60"], timeoutSeconds: 0.3)
    #expect(result.timedOut)
    #expect(result.status == 128 + SIGKILL)
    #expect(monotonicSeconds() - started < 20)
  }

  @Test func failuresAreOneLine() {
    #expect(throws: LabFailure("`sh -c echo first >&2; echo last >&2; exit 1`: last")) {
      try Command.check(["sh", "-c", "echo first >&2; echo last >&2; exit 1"])
    }
    #expect(throws: LabFailure("lbd-no-such-program: not installed")) { try Command.check(["lbd-no-such-program"]) }
  }

  @Test func theEnvironmentIsOurs() throws {
    let names = try Command.check(["env"]).split(separator: "\n").compactMap { $0.split(separator: "=").first }
    let known: Set<Substring> = ["PATH", "LC_ALL", "HOME", "LD_LIBRARY_PATH", "ASAN_OPTIONS", "TSAN_OPTIONS", "TMPDIR"]
    #expect(Set(names).isSubset(of: known))
  }

  @Test func backgroundProcessesEndWhenAsked() throws {
    let log = "/tmp/lbd-command-test-\(getpid()).log"
    defer { unlink(log) }
    let process = try BackgroundProcess(["sh", "-c", "echo ready; exec sleep 60"], logPath: log)
    #expect(try Interruption.wait(seconds: 10) { process.log.contains("ready") })
    #expect(process.isRunning)
    #expect(getsid(process.pid) == process.pid)
    #expect(process.stop() == 128 + SIGTERM)
    #expect(!process.isRunning)
    #expect(process.lastLine == "ready")
  }
}
