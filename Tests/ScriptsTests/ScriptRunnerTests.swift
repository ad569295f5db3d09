import Foundation
import Glibc
import Testing

@testable import Scripts

/// Real programs, one test at a time: a file that one test still writes would be busy for another that forks meanwhile.
@Suite(.serialized, .timeLimit(.minutes(30))) struct ScriptRunnerTests {
  private let workshop: Workshop
  private let clock = ManualClock()
  private let runner: ScriptRunner

  init() throws {
    workshop = try Workshop()
    runner = ScriptRunner(clock: clock)
  }

  @Test(
    arguments: [
      ("exit 0", .exited(status: 0)), ("exit 3", .exited(status: 3)), ("exit 255", .exited(status: 255)),
      ("kill -SEGV $$", .signalled(SIGSEGV)), ("kill -TERM $$", .signalled(SIGTERM)),
      // Neither waits for a reader.
      ("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2", .exited(status: 0)),
      // Its child does not hold up the result.
      ("sleep 60 & echo $! >$W/child", .exited(status: 0)),
    ] as [(String, ScriptResult)])
  func theEndIsTold(lines: String, result: ScriptResult) async throws {
    #expect(await runner.run(try workshop.script("echo $$ >$W/self; " + lines), timeLimit: .seconds(10)) == result)
    let number = try #require(workshop.text("self")).dropLast()
    #expect(Workshop.isGone(String(number)))
    #expect(runner.runningCount == 0)
    if let child = workshop.text("child").flatMap({ pid_t($0.dropLast()) }) {
      #expect(Workshop.isAlive("\(child)"), "what a script leaves behind on purpose is left alone")
      kill(child, SIGKILL)
    }
  }

  @Test func itHasItsArgumentsAndNothingOfOurs() async throws {
    // Not closed on exec: inherited unless something is done about it.
    let open = fcntl(STDOUT_FILENO, F_DUPFD, 200)
    defer { close(open) }
    signal(SIGTTOU, SIG_IGN)
    defer { signal(SIGTTOU, SIG_DFL) }
    setenv("NOTIFY_SOCKET", "/run/notify", 1)
    setenv("LBD_INHERITED", "yes", 1)
    defer {
      unsetenv("NOTIFY_SOCKET")
      unsetenv("LBD_INHERITED")
    }
    let script = try workshop.script(
      """
      { echo "$0 $# $1,$2"; pwd; echo "in $(wc -c)"; echo "$LBD_INHERITED $LBD_GIVEN <$NOTIFY_SOCKET>"
        if [ -e /proc/$$/fd/\(open) ]; then echo inherited; else echo closed; fi
        read -r number name state parent group session rest </proc/$$/stat; [ $group = $$ ] && [ $session = $$ ] && echo leader
        grep -E '^Sig(Blk|Ign)' /proc/self/status | sed 's/.*:.//'; } >$W/out
      """, "a b", "$HOME;'*'")
    #expect(await runner.run(script, environment: ["LBD_GIVEN": "1 2"], timeLimit: .seconds(10)).isSuccess)
    var lines = try #require(workshop.text("out")).split(separator: "\n").map(String.init)
    try #require(lines.count > 2)
    let signals = lines.suffix(2)
    lines.removeLast(2)
    #expect(
      lines == [
        "\(script.words[0]) 2 a b,$HOME;'*'", "/", "in 0", "yes 1 2 <>", "closed", "leader",
      ])
    // 32 and 33 are the C library's own.
    #expect(signals.count == 2 && signals.allSatisfy { UInt64($0, radix: 16).map { $0 & ~0x1_8000_0000 } == 0 })
  }

  @Test(.enabled(if: Workshop.isRoot, "needs root")) func itRunsAsItsUserWithOneGroup() async throws {
    let nobody = try #require(ScriptAccount.user("nobody"))
    let tty = try #require(ScriptAccount.group("tty"))
    var script = try workshop.script("echo $(id -u) $(id -g) $(id -G) >>$W/out")
    try workshop.file("out", "", mode: 0o666)
    script.user = "nobody"
    #expect(await runner.run(script, timeLimit: .seconds(10)).isSuccess)
    script.group = "tty"
    #expect(await runner.run(script, timeLimit: .seconds(10)).isSuccess)
    (script.user, script.group) = (nil, nil)
    runner.configure(ScriptRules(user: "nobody", group: "tty"))
    #expect(await runner.run(script, timeLimit: .seconds(10)).isSuccess)
    let own = "\(nobody.userID) \(nobody.groupID) \(nobody.groupID)\n"
    let other = "\(nobody.userID) \(tty) \(tty)\n"
    #expect(workshop.text("out") == own + other + other)
  }

  @Test func whatIgnoresTermIsKilledWithAllItHasStarted() async throws {
    let script = try workshop.script(
      """
      trap '' TERM
      (while :; do sleep 0.05; done) & echo $! >$W/child
      echo $$ >$W/pid; while :; do sleep 0.05; done
      """)
    async let result = runner.run(script, timeLimit: .seconds(5))
    let numbers = [try await workshop.line("pid"), try await workshop.line("child")]
    try await clock.someoneSleeps(for: .seconds(5))
    clock.advance(by: .seconds(5))
    try await clock.someoneSleeps(for: ScriptRun.grace)
    #expect(numbers.allSatisfy(Workshop.isAlive), "SIGTERM alone does not end it")
    clock.advance(by: ScriptRun.grace)
    #expect(await result == .timedOut)
    while numbers.contains(where: Workshop.isAlive) { try await Task.sleep(for: .milliseconds(5)) }
    #expect(Workshop.isGone(numbers[0]))
  }

  @Test func whatATerminatedScriptLeavesBehindIsKilled() async throws {
    let script = try workshop.script(
      """
      sh -c 'trap "" TERM; echo $$ >'$W'/child; while :; do sleep 0.05; done' &
      trap 'echo yes >$W/term; exit 0' TERM
      while :; do sleep 0.05; done
      """)
    async let result = runner.run(script, timeLimit: .seconds(1))
    let child = try await workshop.line("child")
    try await clock.someoneSleeps(for: .seconds(1))
    clock.advance(by: .seconds(1))
    // Status 0 in the end does not make it a success.
    #expect(await result == .timedOut)
    #expect(workshop.text("term") == "yes\n")
    while Workshop.isAlive(child) { try await Task.sleep(for: .milliseconds(5)) }
  }

  @Test func aCancelledTaskEndsItsScript() async throws {
    let script = try workshop.script("echo $$ >$W/pid; exec sleep 600")
    let task = Task { await runner.run(script, timeLimit: .seconds(500)) }
    let number = try await workshop.line("pid")
    task.cancel()
    #expect(await task.value == .stopped)
    #expect(Workshop.isGone(number))
    let early = Task {
      while !Task.isCancelled { await Task.yield() }
      return await runner.run(script, timeLimit: .seconds(500))
    }
    early.cancel()
    #expect(await early.value == .stopped)
  }

  @Test func soManyRunAtATime() async throws {
    var limits = ScriptRunner.Limits()
    (limits.runningMax, limits.waitingMax) = (2, 1)
    let runner = ScriptRunner(limits: limits, clock: clock)
    let script = try workshop.script("echo >$W/$1; while [ ! -e $W/go ]; do sleep 0.02; done")
    func numbered(_ number: Int) -> Script { Script(words: script.words + ["at\(number)"]) }
    async let first = runner.run(numbered(1), timeLimit: .seconds(60))
    async let second = runner.run(numbered(2), timeLimit: .seconds(60))
    _ = try await (workshop.line("at1"), workshop.line("at2"))
    async let third = runner.run(numbered(3), timeLimit: .seconds(60))
    while runner.waitingCount == 0 { await Task.yield() }
    guard case .cannotStart(let failure) = await runner.run(numbered(4), timeLimit: .seconds(60)) else {
      Issue.record("a fourth script was started")
      return
    }
    #expect(failure.reason == "too many scripts wait for their turn")
    #expect(runner.runningCount == 2)
    // A companion needs no turn.
    #expect(await runner.run(try workshop.script("exit 4", name: "other.sh"), timeLimit: nil) == .exited(status: 4))
    try workshop.file("go", "")
    let results = await [first, second, third]
    #expect(results == Array(repeating: .exited(status: 0), count: 3))
    #expect(workshop.text("at3") == "\n" && workshop.text("at4") == nil)
  }

  @Test func stoppingEndsCompanionsAtOnceAndOthersInTheirTime() async throws {
    let companion = try workshop.script("echo >$W/companion; exec sleep 600", name: "companion.sh")
    let quick = try workshop.script(
      "echo >$W/quick; while [ ! -e $W/go ]; do sleep 0.02; done; exit 7", name: "quick.sh")
    let slow = try workshop.script("echo >$W/slow; exec sleep 600", name: "slow.sh")
    async let companionResult = runner.run(companion, timeLimit: nil)
    async let quickResult = runner.run(quick, timeLimit: .seconds(900))
    async let slowResult = runner.run(slow, timeLimit: .seconds(900))
    for name in ["companion", "quick", "slow"] { _ = try await workshop.line(name) }
    async let end: Void = runner.stop(within: .seconds(3))
    #expect(await companionResult == .stopped)
    try await clock.someoneSleeps(for: .seconds(3))
    try workshop.file("go", "")
    #expect(await quickResult == .exited(status: 7))
    clock.advance(by: .seconds(3))
    #expect(await slowResult == .stopped)
    await end
    #expect(runner.runningCount == 0)
    #expect(await runner.run(quick, timeLimit: .seconds(1)) == .stopped, "nothing starts any longer")
    #expect(await runner.run(quick, timeLimit: nil) == .stopped)
  }

  @Test func whatCannotStartSaysWhy() async throws {
    let file = try workshop.file("plain", "#!/bin/sh\n", mode: 0o644)
    let bare = try workshop.file("bare", "exit 0\n")
    let lost = try workshop.file("lost", "#!/nowhere/interpreter -x\n")
    let rows: [(words: [String], user: String?, expected: String)] = [
      ([], nil, "cannot run : the command is empty"),
      ([workshop.path("none")], nil, "No such file or directory (there is no \(workshop.path("none"))"),
      ([workshop.path("none -x")], nil, "check the quotes"),
      ([workshop.folder], nil, "is not a regular file"), ([file], nil, "Permission denied (make it executable"),
      ([file + "/x"], nil, "Not a directory"), ([bare], nil, "it is no program; a script begins with a line like"),
      ([lost], nil, "its first line names /nowhere/interpreter: No such file"),
      (["no-such-program-anywhere"], nil, "no folder of PATH"), (["sh", "a\u{0}b"], nil, "NUL character"),
      (["sh"], "no such user", "there is no user 'no such user'"),
    ]
    for row in rows {
      let result = await runner.run(Script(words: row.words, user: row.user), timeLimit: .seconds(5))
      #expect("\(result)".contains(row.expected), "\(row.words): \(result)")
      guard case .cannotStart = result else {
        Issue.record("\(row.words) has run: \(result)")
        continue
      }
    }
    #expect(runner.runningCount == 0)
  }

  @Test(.enabled(if: Workshop.isRoot, "needs root")) func whatItsUserCannotReachSaysSo() async throws {
    mkdir(workshop.path("closed"), 0o700)
    var script = Script(words: [try workshop.file("closed/script", "#!/bin/sh\n")], user: "nobody")
    let result = await runner.run(script, timeLimit: .seconds(5))
    #expect("\(result)".contains("Permission denied (nobody must be able to execute it"), "\(result)")
    script.user = nil
    #expect(await runner.run(script, timeLimit: .seconds(5)).isSuccess)
  }

  @Test(.enabled(if: Workshop.isRoot, "needs root")) func whatOthersCanChangeDoesNotRunAsRoot() async throws {
    runner.configure(ScriptRules(user: "root"))
    let script = try workshop.script("exit 0")
    #expect(try runner.examine(script) == nil)
    chmod(script.words[0], 0o777)
    #expect(try runner.examine(script)?.contains("can be written to by everybody") == true)
    #expect(await runner.run(script, timeLimit: .seconds(5)).isSuccess, "without security it is a warning")
    runner.configure(ScriptRules(user: "root", isSecure: true))
    let refusal = await runner.run(script, timeLimit: .seconds(5))
    #expect(
      "\(refusal)"
        == "cannot run \(script): it would run as root, but \(script.words[0]) can be written to by everybody "
        + "(chmod o-w \(script.words[0]), or let another user run it)")
    #expect(throws: ScriptFailure.self) { try runner.examine(script) }
    // For another user it is none of root's business.
    #expect(await runner.run(Script(words: script.words, user: "nobody"), timeLimit: .seconds(5)).isSuccess)
    chmod(script.words[0], 0o755)
    #expect(await runner.run(script, timeLimit: .seconds(5)).isSuccess, "looked at anew each time")
  }

  @Test func aNameIsLookedForInThePath() async throws {
    #expect(await runner.run(Script(words: ["sh", "-c", "exit 9"]), timeLimit: .seconds(5)) == .exited(status: 9))
  }
}
