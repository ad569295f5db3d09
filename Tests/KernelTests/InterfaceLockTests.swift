import Glibc
import Kernel
import Testing

@Suite struct InterfaceLockTests {
  @Test func oneOwnerAtATime() throws {
    let name = "lock\(getpid())"
    do {
      let first = try InterfaceLock(interface: name)
      let error = #expect(throws: SystemError.self) { _ = try InterfaceLock(interface: name) }
      #expect(error?.description == "cannot take interface \(name): EADDRINUSE (another lbd uses it)")
      _ = try InterfaceLock(interface: name + "b")
      _ = consume first
    }
    #expect(NameLockTests.eventually { _ = try InterfaceLock(interface: name) })
  }

  @Test func nameTooLong() {
    #expect(throws: SystemError.self) { _ = try InterfaceLock(interface: String(repeating: "x", count: 200)) }
  }
}
