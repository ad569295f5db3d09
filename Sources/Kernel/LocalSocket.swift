import CShims
import Glibc

/// Who is at the other end of a local socket, by the kernel's word, as of the moment they connected.
public struct PeerCredentials: Sendable, Hashable {
  /// The process.
  public var process: Int32
  /// The effective user.
  public var user: UInt32
  /// The effective group.
  public var group: UInt32
  /// The further groups.
  public var groups: [UInt32]

  /// Somebody.
  public init(process: Int32, user: UInt32, group: UInt32, groups: [UInt32] = []) {
    self.process = process
    self.user = user
    self.group = group
    self.groups = groups
  }
}

/// Stream sockets with a name in the file system: what programs on one machine talk over.
public enum LocalSocket {
  /// The longest path a socket may have.
  public static let pathByteLimit = 107

  /// A socket that listens at `path`, for its owner alone until told otherwise. A name that a dead process has left is
  /// taken over; one where somebody listens is not.
  public static func listen(at path: String, backlog: Int32 = 64) throws -> FileDescriptor {
    let step = "listen at \(path)"
    try removeLeftOver(path, step)
    let file = try FileDescriptor(
      checking: socket(AF_UNIX, streamType | nonBlocking | Int32(SOCK_CLOEXEC.rawValue), 0), step)
    // The name is made with the mode of the socket: it is never open to others, not even for a moment.
    guard fchmod(file.number, 0o600) == 0 else { throw SystemError.current(step) }
    guard try withAddress(path, step, { bind(file.number, $0, $1) }) == 0 else { throw SystemError.current(step) }
    guard Glibc.listen(file.number, backlog) == 0 else { throw SystemError.current(step) }
    return file
  }

  private static func removeLeftOver(_ path: String, _ step: String) throws {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFSOCK else {
      throw SystemError(step, errno: EEXIST, remedy: "there is something else with this name")
    }
    let probe = try FileDescriptor(
      checking: socket(AF_UNIX, streamType | nonBlocking | Int32(SOCK_CLOEXEC.rawValue), 0), step)
    let result = try withAddress(path, step) { Glibc.connect(probe.number, $0, $1) }
    guard result != 0, errno == ECONNREFUSED else {
      throw SystemError(step, errno: EADDRINUSE, remedy: "another lbd listens there")
    }
    guard unlink(path) == 0 || errno == ENOENT else { throw SystemError.current(step) }
  }

  /// Connects to whoever listens at `path`.
  public static func connect(to path: String) throws -> FileDescriptor {
    let step = "connect to \(path)"
    let file = try FileDescriptor(checking: socket(AF_UNIX, streamType | Int32(SOCK_CLOEXEC.rawValue), 0), step)
    guard try withAddress(path, step, { Glibc.connect(file.number, $0, $1) }) == 0 else {
      throw SystemError.current(step)
    }
    return file
  }

  /// The next connection, not blocking; nil when there is none.
  public static func accept(_ listener: Int32) -> FileDescriptor? {
    let number = Glibc.accept(listener, nil, nil)
    guard number >= 0 else { return nil }
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    _ = fcntl(number, F_SETFL, O_NONBLOCK)
    return FileDescriptor(adopting: number)
  }

  /// Who has connected; nil when the kernel does not say.
  public static func peer(of descriptor: Int32) -> PeerCredentials? {
    var words: (pid: Int32, uid: UInt32, gid: UInt32) = (0, 0, 0)
    var length = socklen_t(MemoryLayout.size(ofValue: words))
    guard getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &words, &length) == 0, length == 12 else { return nil }
    var groups = [UInt32](repeating: 0, count: 65536)
    var byteCount = socklen_t(groups.count * 4)
    // SO_PEERGROUPS
    guard getsockopt(descriptor, SOL_SOCKET, 59, &groups, &byteCount) == 0 else { return nil }
    return PeerCredentials(
      process: words.pid, user: words.uid, group: words.gid, groups: Array(groups.prefix(Int(byteCount) / 4)))
  }

  /// Opens the name to a group, and to a second one by an access list where the file system has such.
  /// - Returns: false when one of them could not be let in.
  public static func admit(_ group: UInt32?, _ second: UInt32?, at path: String) -> Bool {
    if let group, chown(path, uid_t.max, group) != 0 { return false }
    guard chmod(path, group == nil ? 0o600 : 0o660) == 0 else { return false }
    guard let second else { return true }
    // Version 2, then tag, permissions and number of each entry: owner, group, named group, mask, others.
    let entries: [(tag: UInt16, permissions: UInt16, number: UInt32)] = [
      (0x01, 6, .max), (0x04, group == nil ? 0 : 6, .max), (0x08, 6, second), (0x10, 6, .max), (0x20, 0, .max),
    ]
    var bytes: [UInt8] = [2, 0, 0, 0]
    for entry in entries {
      withUnsafeBytes(of: entry.tag.littleEndian) { bytes += $0 }
      withUnsafeBytes(of: entry.permissions.littleEndian) { bytes += $0 }
      withUnsafeBytes(of: entry.number.littleEndian) { bytes += $0 }
    }
    return lbd_unix_access_list(path, bytes, bytes.count) == 0
  }

  /// Sends what the socket takes; a reader that has gone is an error, not a signal.
  /// - Returns: how many bytes, or the negative errno.
  public static func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    let count = Glibc.send(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
    return count >= 0 ? count : -Int(errno)
  }

  /// Sends all of it, waiting as the socket does. What cannot be sent is no error: the other end may have answered before
  /// it has read everything, and its answer then says why.
  public static func sendAll(_ descriptor: Int32, _ bytes: [UInt8]) {
    bytes.withUnsafeBytes { buffer in
      var sent = 0
      while sent < buffer.count {
        let count = send(descriptor, UnsafeRawBufferPointer(rebasing: buffer[sent...]))
        if count == -Int(EINTR) { continue }
        guard count > 0 else { return }
        sent += count
      }
    }
  }

  /// Receives exactly so many bytes. Memory is taken as they come: a length that lies costs nothing.
  /// - Throws: `EPIPE` when the other end has closed before, `EAGAIN` when the socket's time limit is over.
  public static func receive(_ descriptor: Int32, byteCount: Int) throws -> [UInt8] {
    let chunkByteCount = 1 << 20
    var bytes: [UInt8] = []
    while bytes.count < byteCount {
      let wanted = min(byteCount - bytes.count, chunkByteCount)
      var failure: Int32 = 0
      let part = [UInt8](unsafeUninitializedCapacity: wanted) { buffer, count in
        let result = recv(descriptor, buffer.baseAddress, wanted, 0)
        failure = result < 0 ? errno : result == 0 ? EPIPE : 0
        count = max(0, result)
      }
      if failure == EINTR { continue }
      guard failure == 0 else { throw SystemError("receive from a local socket", errno: failure) }
      bytes += part
    }
    return bytes
  }

  private static let streamType = Int32(SOCK_STREAM.rawValue)
  private static let nonBlocking = Int32(SOCK_NONBLOCK.rawValue)

  private static func withAddress(
    _ path: String, _ step: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
  ) throws -> Int32 {
    let bytes = Array(path.utf8)
    guard !bytes.isEmpty, bytes.count <= pathByteLimit, !bytes.contains(0) else {
      throw SystemError(step, errno: ENAMETOOLONG, remedy: "a socket's path has 1 to \(pathByteLimit) bytes")
    }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
  }
}
