import Foundation
import Testing

@testable import Control

struct PidFileTests {
  private let path = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString)").path

  @Test(arguments: [
    ("keepalived\0-n\0", true), ("/usr/sbin/keepalived\0", true), ("lbd\0keepalived\0-n\0", true),
    ("/usr/local/bin/lbd\0keepalived\0", true), ("lbd\0run\0", false), ("lbd\0", false), ("", false),
    ("/bin/sh\0-c\0keepalived\0", false), ("notkeepalived\0", false), ("/opt/keepalived/x\0", false),
  ])
  func whoIsAKeepalived(_ row: (commandLine: String, expected: Bool)) {
    #expect(PidFile.isKeepalived(row.commandLine) == row.expected)
  }

  /// The first is this test, then its parent, which lives and is no keepalived; a number that no process has; no number.
  @Test(arguments: ["\(getpid())\n", "\(getppid())\n", "4194305\n", "-1\n", "0\n", "keepalived\n", ""])
  func nobodyHoldsIt(_ text: String) throws {
    defer { unlink(path) }
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
    #expect(PidFile(path: path).holder == nil)
  }

  @Test func somebodyHoldsIt() throws {
    defer { unlink(path) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/bash")
    process.arguments = ["-c", "exec -a keepalived sleep 60"]
    try process.run()
    defer {
      process.terminate()
      process.waitUntilExit()
    }
    try Data("\(process.processIdentifier)\n".utf8).write(to: URL(fileURLWithPath: path))
    // Until it has become the other program.
    for _ in 0..<1000 where PidFile(path: path).holder == nil { usleep(1000) }
    #expect(PidFile(path: path).holder == process.processIdentifier)
  }

  @Test func writeAndRemove() throws {
    defer { unlink(path) }
    try Data("4194305, and much longer than the new one\n".utf8).write(to: URL(fileURLWithPath: path))
    let before = umask(0o077)
    defer { umask(before) }
    try PidFile(path: path).write()
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "\(getpid())\n")
    PidFile(path: path).remove()
    #expect(access(path, F_OK) != 0)
  }

  @Test func anothersIsLeftAlone() throws {
    defer { unlink(path) }
    try Data("1\n".utf8).write(to: URL(fileURLWithPath: path))
    PidFile(path: path).remove()
    #expect(access(path, F_OK) == 0)
  }

  @Test func linksAreNotFollowed() throws {
    let target = path + "-target"
    defer {
      unlink(path)
      unlink(target)
    }
    #expect(symlink(target, path) == 0)
    #expect(throws: (any Error).self) { try PidFile(path: path).write() }
    #expect(access(target, F_OK) != 0)
  }
}
