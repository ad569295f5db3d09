import CShims
import Glibc
import Testing

@testable import Kernel

struct EpollTests {
  private func ready(_ epoll: borrowing Epoll, _ timeout: Int32 = 0) -> [UInt64] {
    var tokens: [UInt64] = []
    epoll.wait(timeoutMilliseconds: timeout) { tokens.append($0.token) }
    return tokens.sorted()
  }

  @Test func reportsWhoIsReady() throws {
    let epoll = try Epoll()
    let first = try EventDescriptor()
    let second = try EventDescriptor()
    try epoll.add(first.descriptor, events: .readable, token: .max)
    try epoll.add(second.descriptor, events: .readable, token: 2)
    #expect(ready(epoll) == [])
    first.raise()
    #expect(ready(epoll, -1) == [.max])
    second.raise()
    #expect(ready(epoll) == [2, .max])
    #expect(first.clear() == 1)
    #expect(ready(epoll) == [2])
    try epoll.remove(second.descriptor)
    #expect(ready(epoll) == [])
    let error = #expect(throws: SystemError.self) { try epoll.remove(second.descriptor) }
    #expect(error?.number == ENOENT)
  }

  @Test func moreReadyThanOneBatch() throws {
    let epoll = try Epoll()
    var numbers: [Int32] = []
    for token in 0..<100 {
      let number = eventfd(1, 0)
      numbers.append(number)
      try epoll.add(number, events: [.readable, .edgeTriggered], token: UInt64(token))
    }
    defer { numbers.forEach { close($0) } }
    #expect((ready(epoll) + ready(epoll)).sorted() == Array(0..<100))
    #expect(ready(epoll) == [])
  }

  @Test func waitingForOne() throws {
    let event = try EventDescriptor()
    #expect(!Epoll.waitReadable(event.descriptor, timeoutMilliseconds: 0))
    event.raise()
    #expect(Epoll.waitReadable(event.descriptor, timeoutMilliseconds: -1))
  }
}

struct TimerDescriptorTests {
  @Test func expiresOnceOrRepeatedly() throws {
    let timer = try TimerDescriptor()
    #expect(timer.expirations() == 0)
    let start = MonotonicClock.nanoseconds()
    try timer.arm(afterNanoseconds: 20_000_000)
    #expect(Epoll.waitReadable(timer.descriptor, timeoutMilliseconds: 5000))
    #expect(MonotonicClock.nanoseconds() - start >= 20_000_000)
    #expect(timer.expirations() == 1)
    #expect(!Epoll.waitReadable(timer.descriptor, timeoutMilliseconds: 0))
    try timer.arm(afterNanoseconds: 0, everyNanoseconds: 1_000_000)
    usleep(20_000)
    #expect(timer.expirations() >= 10)
    try timer.disarm()
    #expect(!Epoll.waitReadable(timer.descriptor, timeoutMilliseconds: 10))
  }
}

struct EventDescriptorTests {
  @Test func countsAndClears() throws {
    let event = try EventDescriptor()
    #expect(event.clear() == 0)
    event.raise()
    event.raise()
    #expect(event.clear() == 2)
    #expect(event.clear() == 0)
  }
}

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
