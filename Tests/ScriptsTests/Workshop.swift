import Foundation
import Glibc

@testable import Scripts

/// A folder of its own for scripts and what they write, gone with the value.
final class Workshop: Sendable {
  let folder: String

  init() throws {
    var name = Array("/tmp/scripts-test.XXXXXX".utf8CString)
    guard mkdtemp(&name) != nil else { throw CocoaError(.fileWriteUnknown) }
    folder = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    chmod(folder, 0o755)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  func path(_ name: String) -> String { "\(folder)/\(name)" }

  /// Writes a file.
  @discardableResult func file(_ name: String, _ text: String, mode: mode_t = 0o755) throws -> String {
    try text.write(toFile: path(name), atomically: false, encoding: .utf8)
    chmod(path(name), mode)
    return path(name)
  }

  /// A script for /bin/sh, which finds the folder in `$W`.
  func script(_ lines: String, _ arguments: String..., name: String = "script.sh") throws -> Script {
    Script(words: [try file(name, "#!/bin/sh\nW=\(folder)\n\(lines)\n")] + arguments)
  }

  /// What a script has written; nil while there is nothing.
  func text(_ name: String) -> String? {
    (try? String(contentsOfFile: path(name), encoding: .utf8)).flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Waits until a script has written a whole line.
  func line(_ name: String) async throws -> String {
    while true {
      if let text = text(name), text.hasSuffix("\n") { return String(text.dropLast()) }
      try await Task.sleep(for: .milliseconds(5))
    }
  }

  static var isRoot: Bool { geteuid() == 0 }

  /// True while there is a process of this number that is not a zombie.
  static func isAlive(_ number: String) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8) else { return false }
    return status.split(separator: ")").last?.split(separator: " ").first != "Z"
  }

  /// Children of this process that nobody has reaped.
  static var zombies: [String] {
    let numbers = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return numbers.filter { number in
      guard Int(number) != nil,
        let status = try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8)
      else { return false }
      let words = status.split(separator: ")").last?.split(separator: " ") ?? []
      return words.count > 1 && words[0] == "Z" && words[1] == "\(getpid())"
    }
  }
}
