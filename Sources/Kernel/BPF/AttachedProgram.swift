import CShims
import Glibc

/// A BPF program that is attached somewhere, found by its id: whose is it?
struct AttachedProgram: ~Copyable {
  /// The kernel's number of the program.
  let id: UInt32
  /// The program's name, of which the kernel keeps 15 characters.
  let name: String
  /// Keeps the program from going away, and names it in a replacement.
  let descriptor: FileDescriptor

  /// Opens the program with this id. Needs CAP_SYS_ADMIN.
  init(id: UInt32, interfaceName: String) throws {
    let descriptor = try FileDescriptor(
      checking: bpf_prog_get_fd_by_id(id), "identify BPF program \(id) on \(interfaceName)",
      remedy: errno == EPERM ? "needs CAP_SYS_ADMIN, or root" : nil)
    name = try AttachedProgram.name(of: descriptor.number)
    self.id = id
    self.descriptor = descriptor
  }

  /// Gives the descriptor away; it is the caller's to close.
  consuming func takeDescriptor() -> Int32 {
    descriptor.release()
  }

  /// The name of an open program.
  static func name(of program: Int32) throws -> String {
    try identity(of: program).name
  }

  /// Id and name of an open program.
  static func identity(of program: Int32) throws -> (id: UInt32, name: String) {
    var id: UInt32 = 0
    var name = [CChar](repeating: 0, count: 17)
    let result = lbd_bpf_program_info(program, &id, &name, name.count)
    guard result == 0 else { throw SystemError("read the name of a BPF program", errno: result) }
    return (id, String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
  }
}
