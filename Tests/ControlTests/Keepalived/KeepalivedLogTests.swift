import Config
import Foundation
import Logging
import Testing

@testable import Control

struct KeepalivedLogTests {
  @Test func linesOfAFile() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString)").path
    defer { unlink(path) }
    try Data("before\n".utf8).write(to: URL(fileURLWithPath: path))
    let wanted = KeepalivedCommandLine(["-G", "-g", path]).log
    let log = try KeepalivedLog(wanted, identity: "test").logger(isDetailed: false)
    log.info("Startup complete")
    log.debug("not without -D")
    log.warning("two\nlines\u{1b}[31m")
    log.error("f:1:2: error: found")
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    let date = #/^[A-Z][a-z]{2} [A-Z][a-z]{2} [ 123]\d \d\d:\d\d:\d\d \d{4}: /#
    #expect(lines.first == "before")
    #expect(
      lines.dropFirst().map { $0.replacing(date, with: "") } == [
        "Startup complete", "warning: two lines [31m", "f:1:2: error: found",
      ])
    try KeepalivedLog(wanted, identity: "test").logger(isDetailed: true).debug("with -D")
    #expect(try String(contentsOfFile: path, encoding: .utf8).hasSuffix(": with -D\n"))
  }

  @Test func fileThatCannotBe() {
    let wanted = KeepalivedCommandLine(["-G", "-g", "/nonexistent/log"]).log
    #expect(throws: (any Error).self) { try KeepalivedLog(wanted, identity: "test") }
  }
}
