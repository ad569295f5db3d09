import Glibc
import Kernel
import Testing

@testable import Lab

@Suite struct LabLockTests {
  /// Its own for each test: names are the machine's.
  private static func prefix(_ name: String) -> String { "t\(getpid())\(name)-" }

  /// A program that another test is just starting has all that this process has, until it begins.
  private static func patiently(_ body: () throws -> LabLock) throws -> LabLock {
    for _ in 0..<3000 {
      if let lock = try? body() { return lock }
      usleep(10_000)
    }
    return try body()
  }

  @Test func oneLabAtATime() throws {
    let prefix = Self.prefix("a")
    do {
      let first = try LabLock(prefix: prefix)
      let expected = "another lab with the prefix \(prefix) is up (process \(getpid())); end it or use --prefix"
      let second = #expect(throws: LabFailure.self) { _ = try LabLock(prefix: prefix) }
      #expect(second?.description == expected)
      let removal = #expect(throws: LabFailure.self) { _ = try LabLock(toRemove: prefix) }
      #expect(removal?.description == expected, "nor is it taken down under those who work on it")
      _ = try LabLock(prefix: Self.prefix("b"))
      withExtendedLifetime(first) {}
    }
    _ = try Self.patiently { try LabLock(prefix: prefix) }
  }

  /// What `lbd lab up` leaves running keeps the others away, and can be removed. What an aborted run leaves keeps nobody away.
  @Test(arguments: [false, true]) func programsThatAreLeft(isUp: Bool) throws {
    let prefix = Self.prefix("c\(isUp)")
    let program: BackgroundProcess
    do {
      let lock = try LabLock(prefix: prefix)
      if isUp { try lock.leaveToPrograms() }
      program = try BackgroundProcess(["sleep", "60"], logPath: "/dev/null")
      withExtendedLifetime(lock) {}
    }
    defer { program.stop() }
    _ = try Self.patiently { try LabLock(toRemove: prefix) }
    if isUp {
      #expect(NameLock.owner(of: "lab/\(prefix)/up") == getpid())
      let failure = #expect(throws: LabFailure.self) {
        _ = try Self.patiently { try LabLock(toRemove: prefix) }
        _ = try LabLock(prefix: prefix)
      }
      #expect(failure?.description.contains("is up (") == true)
    } else {
      _ = try Self.patiently { try LabLock(prefix: prefix) }
    }
  }
}
