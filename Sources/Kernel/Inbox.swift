import Synchronization

/// Values that other threads leave for one that sleeps in an `Epoll`: it is woken, and takes them all at once.
///
/// What is left waits without a bound here; whoever posts sees to it that it is little, as by posting changes only.
public final class Inbox<Value: Sendable>: Sendable {
  private let values = Mutex<[Value]>([])
  private let event: EventDescriptor

  /// An empty one.
  public init() throws { event = try EventDescriptor() }

  /// Readable while something may be there.
  public var descriptor: Int32 { event.descriptor }

  /// Leaves a value. May be called from any thread.
  public func post(_ value: Value) {
    values.withLock { $0.append(value) }
    event.raise()
  }

  /// Takes what is there, in the order in which it came.
  public func take() -> [Value] {
    event.clear()
    return values.withLock { values in
      defer { values = [] }
      return values
    }
  }
}
