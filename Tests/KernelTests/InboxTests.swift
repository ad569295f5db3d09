import Kernel
import Testing

@Suite struct InboxTests {
  @Test func whatIsLeftIsTakenInOrderAndOnce() throws {
    let inbox = try Inbox<Int>()
    for value in 1...3 { inbox.post(value) }
    #expect(try isReadable(inbox.descriptor))
    #expect(inbox.take() == [1, 2, 3])
    #expect(try !isReadable(inbox.descriptor))
    #expect(inbox.take().isEmpty)
  }

  @Test func threadsLeaveValuesWhileOthersAreTaken() async throws {
    let inbox = try Inbox<Int>()
    async let posted: Void = withTaskGroup(of: Void.self) { group in
      for task in 0..<4 { group.addTask { for value in 0..<1000 { inbox.post(task * 1000 + value) } } }
    }
    var taken: [Int] = []
    while taken.count < 4000 {
      taken += inbox.take()
      await Task.yield()
    }
    await posted
    #expect(Set(taken) == Set(0..<4000))
    for task in 0..<4 { #expect(taken.filter { $0 / 1000 == task } == Array(task * 1000..<(task + 1) * 1000)) }
  }

  private func isReadable(_ descriptor: Int32) throws -> Bool {
    let epoll = try Epoll()
    try epoll.add(descriptor, events: .readable, token: 1)
    var isReady = false
    _ = epoll.wait(timeoutMilliseconds: 0) { _ in isReady = true }
    return isReady
  }
}
