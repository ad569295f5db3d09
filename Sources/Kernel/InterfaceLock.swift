/// Makes sure that one process at a time works on an interface.
///
/// Two directors on one interface would replace each other's XDP program before either noticed that the queue is taken.
/// The lock belongs to the network namespace, as the interface does.
public struct InterfaceLock: ~Copyable, Sendable {
  private let lock: NameLock

  /// Takes the lock.
  /// - Throws: when another process has it.
  public init(interface: String) throws {
    lock = try NameLock(
      "interface/\(interface)", step: "take interface \(interface)", remedy: "another lbd uses it")
  }
}
