import Glibc
import Testing

@testable import Kernel

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
