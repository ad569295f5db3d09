import Glibc

/// The files of a report: `PART.json`, `PART.md` and its pictures, in a folder that git ignores.
extension PartReport {
  /// Writes the files and prints the table, the goals, the machine and the command.
  /// - Parameter directory: for the files; `Benchmarks/results` of the repository when it is nil.
  /// - Returns: whether every goal is met.
  /// - Throws: when a file cannot be written; the table has been printed by then.
  @discardableResult
  public func finish(directory: String? = nil) throws -> Bool {
    let machine = Machine.current()
    print(text(machine: machine), terminator: "")
    let folder = directory ?? ResultFiles.defaultDirectory()
    try write(to: folder, machine: machine)
    print("files:   \(folder)/\(part).json, .md and pictures")
    fflush(nil)
    return missed.isEmpty
  }

  func write(to folder: String, machine: Machine) throws {
    try ResultFiles.makeDirectory(folder)
    var pictures: [(title: String, file: String)] = []
    for plot in plots {
      guard let svg = plot.svg(cells) else { continue }
      let file = "\(part)-\(plot.name).svg"
      try ResultFiles.write(svg, to: folder + "/" + file)
      pictures.append((plot.title, file))
    }
    try ResultFiles.write(JSONText.array(cells), to: "\(folder)/\(part).json")
    try ResultFiles.write(markdown(machine: machine, pictures: pictures), to: "\(folder)/\(part).md")
  }
}

/// A result that cannot be written.
public struct ResultFileError: Error, CustomStringConvertible {
  /// Step, file, reason and remedy.
  public let description: String

  init(_ step: String, _ path: String) {
    description = "\(step) \(path): \(String(cString: strerror(errno))) (--results names another folder)"
  }
}

/// Where results go.
public enum ResultFiles {
  /// The folder `results` beside the benchmarks' Package.swift, wherever the command is called from; `results` here for a
  /// program that was moved away from them.
  public static func defaultDirectory() -> String {
    var folder = executablePath()
    while let slash = folder.lastIndex(of: "/"), slash != folder.startIndex {
      folder = String(folder[..<slash])
      if folder.hasSuffix("/Benchmarks"), access(folder + "/Package.swift", F_OK) == 0 { return folder + "/results" }
    }
    return "results"
  }

  private static func executablePath() -> String {
    let bytes = [UInt8](unsafeUninitializedCapacity: 4096) { buffer, count in
      count = buffer.withMemoryRebound(to: CChar.self) { max(0, readlink("/proc/self/exe", $0.baseAddress!, $0.count)) }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Makes a folder and those above it.
  static func makeDirectory(_ path: String) throws {
    var prefix = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      prefix += "/" + part
      guard mkdir(prefix, 0o755) == 0 || errno == EEXIST else { throw ResultFileError("make folder", prefix) }
    }
  }

  /// Writes a neighbour file and renames it, so that a reader never sees half of one.
  static func write(_ text: String, to path: String) throws {
    let temporary = path + ".new"
    guard let file = fopen(temporary, "we") else { throw ResultFileError("write", path) }
    let bytes = Array(text.utf8)
    let written = fwrite(bytes, 1, bytes.count, file)
    guard fclose(file) == 0, written == bytes.count else { throw ResultFileError("write", path) }
    guard rename(temporary, path) == 0 else { throw ResultFileError("write", path) }
  }
}
