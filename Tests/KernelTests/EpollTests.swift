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
