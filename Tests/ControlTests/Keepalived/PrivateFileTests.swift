import Foundation
import Testing

@testable import Control

struct PrivateFileTests {
  private let folder: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    folder = url.path
  }

  private func remove() { try? FileManager.default.removeItem(atPath: folder) }

  private func mode(_ path: String) -> UInt32 {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
  }

  @Test func newFile() throws {
    defer { remove() }
    let before = umask(0)
    defer { umask(before) }
    try PrivateFile.replace("\(folder)/x", with: "text\n")
    #expect(try String(contentsOfFile: "\(folder)/x", encoding: .utf8) == "text\n")
    #expect(mode("\(folder)/x") == 0o600)
  }

  /// Somebody was there first, with a file of his own: he may keep it, and sees nothing.
  @Test func openedBefore() throws {
    defer { remove() }
    try Data("his\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/x"))
    chmod("\(folder)/x", 0o666)
    let his = open("\(folder)/x", O_RDONLY)
    defer { close(his) }
    try PrivateFile.replace("\(folder)/x", with: "ours\n")
    var bytes = [UInt8](repeating: 0, count: 16)
    #expect(read(his, &bytes, 16) == 4)
    #expect(mode("\(folder)/x") == 0o600)
  }

  @Test func linksAreNotFollowed() throws {
    defer { remove() }
    try Data("victim\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/victim"))
    #expect(symlink("\(folder)/victim", "\(folder)/x") == 0)
    try PrivateFile.replace("\(folder)/x", with: "ours\n")
    #expect(try String(contentsOfFile: "\(folder)/victim", encoding: .utf8) == "victim\n")
    #expect(try String(contentsOfFile: "\(folder)/x", encoding: .utf8) == "ours\n")
  }

  @Test func nothingStaysOfAFailure() throws {
    defer { remove() }
    try FileManager.default.createDirectory(atPath: "\(folder)/x/y", withIntermediateDirectories: true)
    #expect(throws: (any Error).self) { try PrivateFile.replace("\(folder)/x", with: "ours\n") }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["x"])
  }
}
