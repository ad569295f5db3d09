import Foundation
import Glibc

/// A folder of its own for pipes, gone with the value.
final class Folder: Sendable {
  let path: String

  init() throws {
    var name = Array("/tmp/notify-test.XXXXXX".utf8CString)
    guard mkdtemp(&name) != nil else { throw CocoaError(.fileWriteUnknown) }
    path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func callAsFunction(_ name: String) -> String { "\(path)/\(name)" }

  /// Type and permissions of a file; nil when there is none.
  func mode(_ name: String) -> mode_t? {
    var status = stat()
    return lstat(self(name), &status) == 0 ? status.st_mode : nil
  }
}

/// Somebody who reads a pipe and never waits.
final class PipeReader {
  private let descriptor: Int32

  /// What there was to be read.
  enum Reading: Equatable {
    case text(String)
    /// Nobody has it open for writing.
    case end
    case nothing
  }

  init(_ path: String) throws {
    descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
    guard descriptor >= 0 else { throw CocoaError(.fileReadUnknown) }
  }

  deinit { close(descriptor) }

  func read() -> Reading {
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    return count > 0 ? .text(String(decoding: bytes[..<count], as: UTF8.self)) : count == 0 ? .end : .nothing
  }
}
