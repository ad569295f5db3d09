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

  /// A thread of a library's that blocks nothing gets the signal first.
  @Test func signalsThatComeElsewhereAreReadAsWell() throws {
    final class Box: @unchecked Sendable { var seen: [Int32?] = [] }
    let box = Box()
    try PinnedThread.start(name: "signals", core: nil) {
      guard let signals = try? SignalDescriptor(), let epoll = try? Epoll(),
        (try? epoll.add(signals.descriptor, events: .readable, token: 1)) != nil
      else { return }
      let other = try? PinnedThread.start(name: "elsewhere", core: nil) {
        var none = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, nil)
        pthread_kill(pthread_self(), SIGUSR1)
      }
      other?.join()
      _ = epoll.wait(timeoutMilliseconds: 10_000) { _ in }
      box.seen = [signals.next(), signals.next()]
    }.join()
    #expect(box.seen == [SIGUSR1, nil])
  }
}
