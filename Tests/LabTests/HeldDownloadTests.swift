import Foundation
import Testing

@testable import Lab

@Suite struct HeldDownloadTests {
  @Test func comesAsFarAsItIsLetAndThenWhole() throws {
    let folder = NSTemporaryDirectory() + "lbd-held-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let size = 1 << 20
    let download = try HeldDownload(
      ["/bin/sh", "-c", "head -c \(size) /dev/zero > \"$0\""], path: "\(folder)/held", logPath: "\(folder)/log")
    let deadline = Date().addingTimeInterval(60)
    while download.byteCount < 1000, Date() < deadline { try download.take(upTo: 1000) }
    #expect(download.byteCount == 1000)
    // The pipe holds less than what is left.
    #expect(download.process.isRunning)
    #expect(try download.finish(seconds: 60) == 0)
    #expect(download.byteCount == size)
    #expect(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/held")) == Data(count: size))
  }

  @Test func aClientThatFailsSaysSo() throws {
    let folder = NSTemporaryDirectory() + "lbd-held-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let download = try HeldDownload(["/bin/sh", "-c", "exit 3"], path: "\(folder)/held", logPath: "\(folder)/log")
    #expect(try download.finish(seconds: 60) == 3)
    #expect(download.byteCount == 0)
  }
}
