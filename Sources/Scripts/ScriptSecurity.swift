import Glibc

/// What others than root can change must not run as root: `enable_script_security`.
///
/// Who can write to a file, or replace it or one of the folders on the way to it, can have anything run as root. So each step
/// from / to the file is looked at, and where a step is a link, the steps to its target too. A step is weak when its owner is not
/// root, or when others may write to it: its group, unless that is root's, or everybody. Folders like /tmp, where everybody may
/// write but nobody may remove what is another's, count as strong.
enum ScriptSecurity {
  /// A step that somebody else can change.
  struct Weakness: Hashable {
    /// The folder, link or file.
    let path: String
    /// What makes it weak, to be read after the path: `belongs to user 1000`.
    let reason: String
    /// What takes it away.
    let remedy: String
  }

  /// As the kernel's own limit of links on a way.
  private static let linksMax = 40
  private static let stepsMax = 4096

  /// The first weak step on the way to a program; nil when only root can change what runs.
  /// - Parameter path: from / on.
  /// - Throws: an error number when the way does not lead to the end.
  static func weakness(of path: String) throws(Errno) -> Weakness? {
    if let weakness = try look(at: "/").weakness { return weakness }
    var place = ""
    var rest = Array(path.split(separator: "/").reversed())
    var links = 0
    var steps = 0
    while let name = rest.popLast() {
      steps += 1
      guard steps <= stepsMax else { throw Errno(number: ENAMETOOLONG) }
      if name == "." { continue }
      if name == ".." {
        place = place.lastIndex(of: "/").map { String(place[..<$0]) } ?? ""
        continue
      }
      let step = try look(at: "\(place)/\(name)")
      if let weakness = step.weakness { return weakness }
      guard let target = step.target else {
        place = "\(place)/\(name)"
        continue
      }
      links += 1
      guard links <= linksMax else { throw Errno(number: ELOOP) }
      if target.hasPrefix("/") { place = "" }
      rest += target.split(separator: "/").reversed()
    }
    return nil
  }

  /// An error number.
  struct Errno: Error {
    let number: Int32
  }

  /// One step: whether it is weak, and where it leads if it is a link.
  private static func look(at path: String) throws(Errno) -> (weakness: Weakness?, target: String?) {
    var status = stat()
    guard lstat(path, &status) == 0 else { throw Errno(number: errno) }
    let kind = status.st_mode & S_IFMT
    guard status.st_uid == 0 else {
      return (
        Weakness(path: path, reason: "belongs to user \(status.st_uid)", remedy: "chown root \(path)"), nil
      )
    }
    // The mode of a link means nothing.
    if kind == S_IFLNK { return (nil, try target(of: path)) }
    // Only a folder's sticky bit keeps others from removing what is in it.
    if kind == S_IFDIR && status.st_mode & S_ISVTX != 0 { return (nil, nil) }
    if status.st_mode & S_IWOTH != 0 {
      return (Weakness(path: path, reason: "can be written to by everybody", remedy: "chmod o-w \(path)"), nil)
    }
    if status.st_mode & S_IWGRP != 0 && status.st_gid != 0 {
      let reason = "can be written to by group \(status.st_gid)"
      return (Weakness(path: path, reason: reason, remedy: "chmod g-w \(path)"), nil)
    }
    return (nil, nil)
  }

  private static func target(of path: String) throws(Errno) -> String {
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX))
    let count = readlink(path, &bytes, bytes.count)
    guard count >= 0 else { throw Errno(number: errno) }
    return String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
