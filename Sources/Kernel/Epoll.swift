import CShims
import Glibc

/// Waits for any of a set of descriptors; level-triggered unless an event mask says otherwise.
public struct Epoll: ~Copyable, Sendable {
  /// What to wait for, and what happened.
  public struct Events: OptionSet, Sendable {
    /// The kernel's bits.
    public let rawValue: UInt32
    /// Events from the kernel's bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    /// Something can be read.
    public static let readable = Events(rawValue: 0x1)
    /// Something can be written.
    public static let writable = Events(rawValue: 0x4)
    /// An error waits on the descriptor; always reported.
    public static let error = Events(rawValue: 0x8)
    /// The other end has gone; always reported.
    public static let hangUp = Events(rawValue: 0x10)
    /// Report a change once, not a state.
    public static let edgeTriggered = Events(rawValue: 1 << 31)
  }

  /// One descriptor that has something to say.
  public struct Ready: Sendable {
    /// What the descriptor was added with.
    public let token: UInt64
    /// What happened.
    public let events: Events
  }

  private let file: FileDescriptor

  /// How many descriptors one `wait` reports at most; the others are reported by the next.
  private static var batch: Int { 64 }

  /// An empty set.
  public init() throws {
    file = try FileDescriptor(checking: epoll_create1(Int32(EPOLL_CLOEXEC)), "create epoll descriptor")
  }

  /// The epoll descriptor itself; it may be waited for in turn.
  public var descriptor: Int32 { file.number }

  /// Starts watching `descriptor`.
  public func add(_ descriptor: Int32, events: Events, token: UInt64) throws {
    try control(EPOLL_CTL_ADD, descriptor, events, token)
  }

  /// Changes what `descriptor` is watched for.
  public func modify(_ descriptor: Int32, events: Events, token: UInt64) throws {
    try control(EPOLL_CTL_MOD, descriptor, events, token)
  }

  /// Stops watching `descriptor`.
  public func remove(_ descriptor: Int32) throws {
    try control(EPOLL_CTL_DEL, descriptor, [], 0)
  }

  private func control(_ operation: Int32, _ descriptor: Int32, _ events: Events, _ token: UInt64) throws {
    var event = epoll_event()
    event.events = events.rawValue
    event.data.u64 = token
    guard epoll_ctl(file.number, operation, descriptor, &event) == 0 else {
      throw SystemError.current("watch descriptor \(descriptor)")
    }
  }

  /// Waits, then calls `body` for each ready descriptor.
  /// - Parameter timeoutMilliseconds: 0 looks without waiting, negative waits for ever.
  /// - Returns: how many were ready; 0 also when a signal cut the wait short.
  @discardableResult
  public func wait(timeoutMilliseconds: Int32, _ body: (Ready) throws -> Void) rethrows -> Int {
    try withUnsafeTemporaryAllocation(of: epoll_event.self, capacity: Epoll.batch) { buffer in
      let count = epoll_wait(file.number, buffer.baseAddress, Int32(buffer.count), timeoutMilliseconds)
      guard count > 0 else { return 0 }
      for index in 0..<Int(count) {
        let event = buffer[index]
        try body(Ready(token: event.data.u64, events: Events(rawValue: event.events)))
      }
      return Int(count)
    }
  }
}

extension Epoll {
  /// Waits for one descriptor to become readable, without a set.
  /// - Returns: whether it did (or has an error to report).
  public static func waitReadable(_ descriptor: Int32, timeoutMilliseconds: Int32) -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&entry, 1, timeoutMilliseconds) > 0
  }
}
