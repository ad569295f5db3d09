import Glibc
import Kernel

/// Keeps labs of one prefix apart: each takes down whatever bears its names before it builds.
///
/// Two names. One is the command's that is at work on the lab; it ends with its process. The other is the lab's: it is
/// passed on to the programs that `lbd lab up` leaves running, and so tells a lab that is up from the remains of one.
final class LabLock {
  private let work: NameLock
  private let lab: NameLock?

  /// Takes both names.
  /// - Throws: when another lab of that prefix is up, or on its way up or down.
  init(prefix: String) throws {
    work = try LabLock.work(prefix)
    do {
      lab = try NameLock("lab/\(prefix)/up", step: "take the lab's name")
    } catch let error as SystemError where error.number == EADDRINUSE {
      throw LabFailure(
        "another lab with the prefix \(prefix) is up (left by `lbd lab up`); end it"
          + " (`lbd lab down --prefix \(prefix)`) or use --prefix")
    }
  }

  /// Takes the first, to remove whatever is up.
  init(toRemove prefix: String) throws {
    work = try LabLock.work(prefix)
    lab = nil
  }

  private static func work(_ prefix: String) throws -> NameLock {
    let name = "lab/\(prefix)/work"
    do {
      return try NameLock(name, step: "take the lab's name")
    } catch let error as SystemError where error.number == EADDRINUSE {
      let who = NameLock.owner(of: name).map { "process \($0)" } ?? "a process"
      throw LabFailure("another lab with the prefix \(prefix) is up (\(who)); end it or use --prefix")
    }
  }

  /// Programs that are started from here on keep the lab's name.
  func leaveToPrograms() throws { try lab?.passOn() }
}
