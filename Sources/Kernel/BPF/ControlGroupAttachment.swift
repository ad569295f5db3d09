import CShims
import Glibc

/// Programs on a control group: they run for the sockets that are made in it and below it.
///
/// Others may be attached at the same place; a program of the same name is one of ours, of an earlier time, and is
/// replaced. What is attached stays when the process ends, with its maps, until it is detached or the group goes.
public struct ControlGroupAttachment: Sendable {
  /// Where a program runs.
  public enum Hook: Sendable, CaseIterable {
    /// On events of TCP connections.
    case socketOperations
    /// For getpeername() and accept() of IPv4 sockets.
    case peerNameV4
    /// For those of IPv6 sockets.
    case peerNameV6

    var type: bpf_attach_type {
      switch self {
      case .socketOperations: BPF_CGROUP_SOCK_OPS
      case .peerNameV4: BPF_CGROUP_INET4_GETPEERNAME
      case .peerNameV6: BPF_CGROUP_INET6_GETPEERNAME
      }
    }
  }

  /// The group's directory.
  public let path: String

  /// - Parameter path: a directory of a cgroup2 file system.
  public init(path: String) { self.path = path }

  /// The root of the first cgroup2 file system that is mounted: every process of the host is in it.
  public static func root() throws -> ControlGroupAttachment {
    let mounts = KernelFile.read("/proc/self/mounts") ?? ""
    for line in mounts.split(separator: "\n") {
      let words = line.split(separator: " ")
      if words.count > 2, words[2] == "cgroup2" { return ControlGroupAttachment(path: String(words[1])) }
    }
    throw SystemError(
      "find the root of the control groups", errno: ENOENT, remedy: "mount -t cgroup2 none /sys/fs/cgroup/unified")
  }

  private func open() throws -> FileDescriptor {
    try FileDescriptor(checking: Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open \(path)")
  }

  /// Attaches a program beside those of others, in place of one of its own name.
  public func attach(_ program: Int32, _ hook: Hook) throws {
    let name = try AttachedProgram.identity(of: program).name
    let group = try open()
    let former = try identifiers(hook)
    let result = bpf_prog_attach(program, group.number, hook.type, UInt32(BPF_F_ALLOW_MULTI))
    guard result == 0 else {
      throw SystemError(
        "attach \(name) to \(path)", errno: errno,
        remedy: errno == EPERM ? "needs root, and no program above or below that excludes others" : nil)
    }
    for identifier in former { try detach(identifier, hook, ifNamed: name) }
  }

  /// Numbers of the programs that are attached.
  public func identifiers(_ hook: Hook) throws -> [UInt32] {
    let group = try open()
    var identifiers = [UInt32](repeating: 0, count: 64)
    var count = UInt32(identifiers.count)
    guard bpf_prog_query(group.number, hook.type, 0, nil, &identifiers, &count) == 0 else {
      throw SystemError.current("list the programs of \(path)", remedy: errno == EPERM ? "run as root" : nil)
    }
    return Array(identifiers.prefix(Int(count)))
  }

  /// The number of the program of that name; nil when there is none.
  public func identifier(of name: String, _ hook: Hook) throws -> UInt32? {
    for identifier in try identifiers(hook) {
      let program = try AttachedProgram(id: identifier, interfaceName: path)
      if program.name == name { return identifier }
    }
    return nil
  }

  /// Detaches a program if it has that name.
  /// - Returns: true when it was.
  @discardableResult
  public func detach(_ identifier: UInt32, _ hook: Hook, ifNamed name: String) throws -> Bool {
    let program = try AttachedProgram(id: identifier, interfaceName: path)
    guard program.name == name else { return false }
    let group = try open()
    guard bpf_prog_detach2(program.descriptor.number, group.number, hook.type) == 0 else {
      throw SystemError.current("detach \(name) from \(path)")
    }
    return true
  }
}

/// A program that walks over kernel objects when it is read.
public enum KernelIterator {
  /// Runs it once, over what this network namespace has.
  public static func run(_ program: Int32) throws {
    let link = try FileDescriptor(
      checking: bpf_link_create(program, 0, BPF_TRACE_ITER, nil), "attach an iterator", remedy: "needs kernel 5.17")
    let iterator = try FileDescriptor(checking: bpf_iter_create(link.number), "start an iterator")
    var byte: UInt8 = 0
    var count = read(iterator.number, &byte, 1)
    while count > 0 || count < 0 && (errno == EAGAIN || errno == EINTR) { count = read(iterator.number, &byte, 1) }
    guard count == 0 else { throw SystemError.current("run an iterator") }
  }
}
