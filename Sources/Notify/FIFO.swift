import Glibc

/// A pipe with a name that lines are written to, whoever reads it.
///
/// It is opened for reading as well, so that opening it needs no reader and writing to it never ends in SIGPIPE; and without
/// waiting, so that a reader that sleeps holds nobody up. A line is at most as long as the kernel writes in one piece: readers
/// never see half of one. What a full pipe does not take is lost, and counted.
///
/// lbd makes the pipe when there is none, for its user alone, and for a group as well where the configuration names one, and
/// removes what it has made. What has this name and is no pipe is left as it is.
final class FIFO {
  /// Why there is no pipe, said the way an operator needs it.
  struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ step: String, _ reason: String, remedy: String) { description = "cannot \(step): \(reason) (\(remedy))" }

    init(_ step: String, errno number: Int32, remedy: String) {
      self.init(step, String(cString: strerror(number)), remedy: remedy)
    }
  }

  /// What came of a line.
  enum Outcome {
    case written
    /// The pipe is full, or the line is too long for it.
    case lost
  }

  /// Bytes that the kernel writes in one piece: PIPE_BUF.
  static let lineBytesMax = 4096

  let path: String
  private let descriptor: Int32
  private let isOurs: Bool
  private let identity: (device: dev_t, inode: ino_t)

  /// Opens the pipe, and makes it when there is none.
  init(_ settings: NotifierSettings.FIFO) throws(Failure) {
    path = settings.path
    let step = "open the FIFO \(path)"
    guard path.hasPrefix("/") else {
      throw Failure(step, "the path is relative", remedy: "write it from / on")
    }
    isOurs = mkfifo(path, 0o600) == 0
    if !isOurs && errno != EEXIST {
      throw Failure("make the FIFO \(path)", errno: errno, remedy: "its folder must be there, and not be read-only")
    }
    var status = stat()
    guard stat(path, &status) == 0 else { throw Failure(step, errno: errno, remedy: "see what has this name") }
    // Looked at before it is opened: opening may do something to what is no pipe.
    guard status.st_mode & S_IFMT == S_IFIFO else {
      throw Failure(step, "it is not a FIFO", remedy: "remove it, or write another path")
    }
    descriptor = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else {
      let number = errno
      if isOurs { unlink(path) }
      throw Failure(step, errno: number, remedy: "lbd must be permitted to read and write it")
    }
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else {
      Glibc.close(descriptor)
      throw Failure(step, "it is not a FIFO", remedy: "remove it, or write another path")
    }
    identity = (status.st_dev, status.st_ino)
    guard isOurs else { return }
    do throws(Failure) {
      try give(to: settings)
    } catch {
      close()
      throw error
    }
  }

  /// Writes a line, all of it or nothing.
  func write(_ line: String) -> Outcome {
    var line = line
    let (count, byteCount) = line.withUTF8 { bytes in
      guard bytes.count <= FIFO.lineBytesMax else { return (-1, bytes.count) }
      while true {
        let count = Glibc.write(descriptor, bytes.baseAddress, bytes.count)
        if count >= 0 || errno != EINTR { return (count, bytes.count) }
      }
    }
    return count == byteCount ? .written : .lost
  }

  /// Closes it, and removes it if lbd has made it. To be called once.
  func close() {
    Glibc.close(descriptor)
    var status = stat()
    // Not what somebody has put there meanwhile.
    if isOurs, lstat(path, &status) == 0, status.st_dev == identity.device, status.st_ino == identity.inode {
      unlink(path)
    }
  }

  /// Owner and mode, whatever the process's mask is.
  private func give(to settings: NotifierSettings.FIFO) throws(Failure) {
    let step = "give the FIFO \(path) to its user"
    var (userID, groupID) = (uid_t.max, gid_t.max)
    if let name = settings.user {
      guard let user = PasswordFile.user(name) else {
        throw Failure(step, "there is no user '\(name)'", remedy: "create it, or name another")
      }
      (userID, groupID) = (user.userID, user.groupID)
    }
    if let name = settings.group {
      guard let group = PasswordFile.group(name) else {
        throw Failure(step, "there is no group '\(name)'", remedy: "create it, or name another")
      }
      groupID = group
    }
    // The greatest number leaves things as they are.
    guard fchmod(descriptor, settings.group == nil ? 0o600 : 0o640) == 0, fchown(descriptor, userID, groupID) == 0 else {
      throw Failure(step, errno: errno, remedy: "needs CAP_CHOWN, or root")
    }
  }
}
