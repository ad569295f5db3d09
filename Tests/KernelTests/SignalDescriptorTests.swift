import Glibc
import Testing

@testable import Kernel

struct SignalDescriptorTests {
  /// On a thread of its own: signals sent to it alone are blocked there and read, in the kernel's order.
  @Test func signalsAreRead() throws {
    final class Box: @unchecked Sendable { var seen: [Int32?] = [] }
    let box = Box()
    try PinnedThread.start(name: "signals", core: nil) {
      guard let signals = try? SignalDescriptor() else { return }
      box.seen.append(signals.next())
      pthread_kill(pthread_self(), SIGUSR2)
      pthread_kill(pthread_self(), SIGHUP)
      box.seen += [signals.next(), signals.next(), signals.next()]
    }.join()
    #expect(box.seen == [nil, SIGHUP, SIGUSR2, nil])
  }
}
