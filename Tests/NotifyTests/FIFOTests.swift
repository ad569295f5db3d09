import Foundation
import Glibc
import Testing

@testable import Notify

@Suite struct FIFOTests {
  private let folder: Folder

  init() throws { folder = try Folder() }

  /// Why it cannot be opened.
  private func failure(_ settings: NotifierSettings.FIFO) -> String? {
    do throws(FIFO.Failure) {
      try FIFO(settings).close()
      return nil
    } catch {
      return error.description
    }
  }

  @Test func itIsMadeForItsUserAloneAndRemoved() throws {
    let former = umask(0)
    defer { umask(former) }
    let fifo = try FIFO(.init(path: folder("pipe")))
    #expect(folder.mode("pipe") == S_IFIFO | 0o600)
    #expect(fifo.isInPlace)
    fifo.close()
    #expect(folder.mode("pipe") == nil)
  }

  @Test func aGroupMayReadIt() throws {
    var entry = stat()
    stat(folder.path, &entry)
    let name = try #require(getgrgid(entry.st_gid).map { String(cString: $0.pointee.gr_name) })
    let fifo = try FIFO(.init(path: folder("pipe"), group: name))
    defer { fifo.close() }
    #expect(folder.mode("pipe") == S_IFIFO | 0o640)
  }

  @Test func whatWasThereStays() throws {
    mkfifo(folder("pipe"), 0o604)
    let mode = folder.mode("pipe")
    let fifo = try FIFO(.init(path: folder("pipe")))
    fifo.close()
    #expect(folder.mode("pipe") == mode)
  }

  @Test func linesArrive() throws {
    let fifo = try FIFO(.init(path: folder("pipe")))
    #expect(fifo.write("before anybody reads\n") == .written)
    let reader = try PipeReader(folder("pipe"))
    #expect(fifo.write("VS [a]:80 UP\n") == .written)
    #expect(reader.read() == .text("before anybody reads\nVS [a]:80 UP\n"))
    #expect(reader.read() == .nothing)
    #expect(fifo.write("last\n") == .written)
    fifo.close()
    #expect(reader.read() == .text("last\n"))
    #expect(reader.read() == .end)
  }

  @Test func aFullPipeLosesWholeLines() throws {
    let fifo = try FIFO(.init(path: folder("pipe")))
    defer { fifo.close() }
    let line = String(repeating: "x", count: 999) + "\n"
    var count = 0
    while count < 10_000, fifo.write(line) == .written { count += 1 }
    #expect((1..<10_000).contains(count), "a pipe has an end")
    #expect(fifo.write(line) == .lost)
    let reader = try PipeReader(folder("pipe"))
    #expect(reader.read() == .text(String(repeating: line, count: count)), "and no half of a line")
    #expect(fifo.write(line) == .written)
  }

  @Test func aLineThatIsTooLongIsLost() throws {
    let fifo = try FIFO(.init(path: folder("pipe")))
    defer { fifo.close() }
    #expect(fifo.write(String(repeating: "x", count: FIFO.lineBytesMax + 1)) == .lost)
    #expect(fifo.write(String(repeating: "x", count: FIFO.lineBytesMax)) == .written)
  }

  @Test func whatIsNoPipeIsLeftAlone() throws {
    try "data".write(toFile: folder("file"), atomically: false, encoding: .utf8)
    symlink(folder("file"), folder("link"))
    for name in ["file", "link"] {
      #expect(
        failure(.init(path: folder(name)))?.contains("it is not a FIFO (remove it, or write another path)") == true)
    }
    #expect(try String(contentsOfFile: folder("file"), encoding: .utf8) == "data")
    #expect(failure(.init(path: folder.path))?.contains("it is not a FIFO") == true)
    #expect(failure(.init(path: "/dev/null"))?.contains("it is not a FIFO") == true)
  }

  @Test func failuresSayWhatToDo() {
    #expect(failure(.init(path: "pipe")) == "cannot open the FIFO pipe: the path is relative (write it from / on)")
    #expect(
      failure(.init(path: folder("none/pipe")))
        == "cannot make the FIFO \(folder("none/pipe")): No such file or directory "
        + "(its folder must be there, and not be read-only)")
    symlink(folder("nowhere"), folder("link"))
    #expect(
      failure(.init(path: folder("link")))?.hasPrefix("cannot open the FIFO \(folder("link")): No such file") == true)
  }

  @Test func withoutItsUserOrGroupThereIsNone() {
    #expect(failure(.init(path: folder("pipe"), user: "no such user"))?.contains("no user 'no such user'") == true)
    #expect(folder.mode("pipe") == nil)
    #expect(failure(.init(path: folder("pipe"), group: "no such group"))?.contains("no group 'no such group'") == true)
    #expect(folder.mode("pipe") == nil)
  }

  @Test func itNoticesThatItWasRemoved() throws {
    let fifo = try FIFO(.init(path: folder("pipe")))
    unlink(folder("pipe"))
    #expect(!fifo.isInPlace)
    try "another's".write(toFile: folder("pipe"), atomically: false, encoding: .utf8)
    #expect(!fifo.isInPlace)
    fifo.close()
    #expect(folder.mode("pipe") != nil, "what somebody else has put there stays")
  }
}
