import Foundation
import Testing

@testable import Control

/// A configuration file is read whole or refused with a reason.
struct ConfigurationFileTests {
  /// A path below a folder of its own that goes when the body is done.
  private func withPath(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.appendingPathComponent("lbd.conf").path)
  }

  private func refusal(of path: String) -> (error: String, reported: [String]) {
    var reported: [String] = []
    do {
      _ = try ConfigurationFile(path: path).load { reported.append("\($0)") }
      return ("", reported)
    } catch {
      return ("\(error)", reported)
    }
  }

  @Test func missingFileIsNamed() throws {
    try withPath { path in
      #expect(refusal(of: path).error == "cannot read configuration \(path): ENOENT (No such file or directory)")
    }
  }

  @Test func folderIsRefused() throws {
    try withPath { path in
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      #expect(refusal(of: path).error == "cannot read configuration \(path): EISDIR (Is a directory)")
    }
  }

  @Test func fileWithoutEndIsRefused() {
    #expect(
      refusal(of: "/dev/zero").error
        == "cannot read configuration /dev/zero: EFBIG (a configuration has at most 32 MiB)")
  }

  @Test func fileBeyondTheLimitIsRefused() throws {
    try withPath { path in
      #expect(FileManager.default.createFile(atPath: path, contents: nil))
      let file = try #require(FileHandle(forWritingAtPath: path))
      try file.truncate(atOffset: UInt64(ConfigurationFile.byteLimit + 1))
      #expect(refusal(of: path).error.contains("EFBIG"))
    }
  }

  @Test func errorsComeWithFileAndLine() throws {
    try withPath { path in
      let text =
        "virtual_server 10.1.0.100 80 {\n  lb_algo nosuch\n  real_server 10.2.0.11 80 {\n    weight x\n  }\n}\n"
      try text.write(toFile: path, atomically: false, encoding: .utf8)
      let (error, reported) = refusal(of: path)
      #expect(reported.contains { $0.hasPrefix("\(path):2:") && $0.contains(": error: ") })
      #expect(reported.contains { $0.hasPrefix("\(path):4:") })
      #expect(error.hasPrefix("\(path): refused, ") && error.hasSuffix("; nothing was changed"))
    }
  }

  @Test func oneErrorIsSingular() throws {
    try withPath { path in
      try "virtual_server 10.1.0.100 80 {\n  protocol TCP\n  lb_algo nosuch\n}\n".write(
        toFile: path, atomically: false, encoding: .utf8)
      #expect(refusal(of: path).error == "\(path): refused, 1 error; nothing was changed")
    }
  }

  @Test func soundFileIsReadWhole() throws {
    try withPath { path in
      // More than one read's worth.
      let filler = String(repeating: "# filler\n", count: 20_000)
      let text =
        filler + "virtual_server 10.1.0.100 80 {\n  protocol TCP\n  real_server 10.2.0.11 80 {\n    weight 5\n  }\n}\n"
      try text.write(toFile: path, atomically: false, encoding: .utf8)
      let configuration = try ConfigurationFile(path: path).load { _ in }
      #expect(configuration.services.map(\.key) == [Samples.tcp("10.1.0.100:80")])
      #expect(configuration.services[0].realServers.map(\.weight) == [5])
    }
  }

  @Test func emptyFileIsAnEmptyConfiguration() throws {
    let configuration = try ConfigurationFile(path: "/dev/null").load { _ in }
    #expect(configuration.services.isEmpty)
  }
}
