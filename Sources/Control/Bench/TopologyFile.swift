import Config
import Glibc
import Kernel

/// A network described by a file of `ip` and `sysctl` lines, and nothing else.
public enum TopologyFile {
  /// Reads a file.
  /// - Throws: `file:line: what` for the first line that cannot be taken.
  public static func read(_ path: String) throws -> Topology {
    let step = "read topology \(path)"
    let file = try FileDescriptor(checking: open(path, O_RDONLY | O_CLOEXEC), step)
    var bytes: [UInt8] = []
    while true {
      let part = try [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
        let result = Glibc.read(file.number, buffer.baseAddress, buffer.count)
        guard result >= 0 else { throw SystemError.current(step) }
        count = result
      }
      if part.isEmpty { break }
      bytes += part
      guard bytes.count <= ConfigurationFile.byteLimit else {
        throw SystemError(step, errno: EFBIG, remedy: "a topology has at most 16 MiB")
      }
    }
    return try parse(String(decoding: bytes, as: UTF8.self), name: path)
  }

  /// Reads text.
  /// - Parameter name: stands before the line number in what is thrown.
  public static func parse(_ text: String, name: String) throws -> Topology {
    var topology = Topology()
    for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" || $0 == "\r" })
      guard let first = words.first, !first.hasPrefix("#") else { continue }
      let place = "\(name):\(index + 1)"
      guard first == "ip" || first == "sysctl" else {
        throw TopologyFileError("\(place): \(first): a topology has lines of ip and sysctl only")
      }
      for edit in try TopologyText.parse(line: String(line)).mapError({ TopologyFileError("\(place): \($0)") }).get() {
        if let refusal = topology.apply(edit) { throw TopologyFileError("\(place): \(refusal)") }
      }
    }
    return topology
  }
}

/// A line that cannot be taken.
public struct TopologyFileError: Error, CustomStringConvertible {
  /// `file:line: what`.
  public let description: String

  init(_ description: String) { self.description = description }
}
