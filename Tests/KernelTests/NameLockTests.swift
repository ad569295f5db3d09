import Glibc
import Kernel
import Testing

@Suite struct NameLockTests {
  @Test func oneOwnerAtATime() throws {
    let name = "name\(getpid())"
    #expect(NameLock.owner(of: name) == nil)
    do {
      let first = try NameLock(name, step: "take it")
      let error = #expect(throws: SystemError.self) {
        _ = try NameLock(name, step: "take it", remedy: "somebody has it")
      }
      #expect(error?.number == EADDRINUSE)
      #expect(error?.description == "cannot take it: EADDRINUSE (somebody has it)")
      #expect(NameLock.owner(of: name) == getpid())
      _ = consume first
    }
    // A program that another test is just starting has all that this process has, until it begins.
    #expect(NameLockTests.eventually { _ = try NameLock(name, step: "take it") })
  }

  static func eventually(_ body: () throws -> Void) -> Bool {
    for _ in 0..<3000 {
      if (try? body()) != nil { return true }
      usleep(10_000)
    }
    return false
  }

  /// Asked more often than it has room for questions: nobody waits.
  @Test func askedOften() throws {
    let name = "often\(getpid())"
    let lock = try NameLock(name, step: "take it")
    for _ in 0..<5000 { _ = NameLock.owner(of: name) }
    #expect(throws: SystemError.self) { _ = try NameLock(name, step: "take it") }
    _ = consume lock
  }

  /// A program that was started meanwhile keeps the name if it was passed on, and only then.
  @Test(arguments: [false, true]) func passedOn(isPassedOn: Bool) throws {
    let name = "child\(getpid())\(isPassedOn)"
    var child: pid_t = 0
    do {
      let lock = try NameLock(name, step: "take it")
      if isPassedOn { try lock.passOn() }
      child = try start(["/bin/sleep", "60"])
      _ = consume lock
    }
    defer { waitpid(child, nil, 0) }
    defer { kill(child, SIGKILL) }
    if isPassedOn {
      #expect(throws: SystemError.self) { _ = try NameLock(name, step: "take it") }
    } else {
      #expect(NameLockTests.eventually { _ = try NameLock(name, step: "take it") })
    }
  }

  private func start(_ words: [String]) throws -> pid_t {
    var child: pid_t = 0
    var vector = words.map { strdup($0) } + [nil]
    defer { for word in vector { free(word) } }
    try #require(posix_spawn(&child, words[0], nil, nil, &vector, environ) == 0)
    return child
  }
}
