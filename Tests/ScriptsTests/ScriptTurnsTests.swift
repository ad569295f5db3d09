import Testing

@testable import Scripts

struct ScriptTurnsTests {
  private let turns = ScriptTurns(count: 1, waitingMax: 2)

  /// A task that waits for a turn, and does wait.
  private func waiter(_ place: Int) async -> Task<ScriptTurns.Answer, Never> {
    let task = Task { await turns.take() }
    while turns.waitingCount < place { await Task.yield() }
    return task
  }

  @Test func turnsComeInOrder() async {
    #expect(await turns.take() == .yours)
    let first = await waiter(1)
    let second = await waiter(2)
    #expect(await turns.take() == .full)
    turns.giveBack()
    #expect(await first.value == .yours)
    #expect(turns.waitingCount == 1)
    turns.giveBack()
    #expect(await second.value == .yours)
    turns.giveBack()
    #expect(await turns.take() == .yours)
  }

  @Test func whoIsCancelledLeavesTheQueue() async {
    #expect(await turns.take() == .yours)
    let first = await waiter(1)
    let second = await waiter(2)
    first.cancel()
    #expect(await first.value == .cancelled)
    turns.giveBack()
    #expect(await second.value == .yours)
  }

  @Test func closingAnswersEverybody() async {
    #expect(await turns.take() == .yours)
    let waiting = await waiter(1)
    turns.close()
    #expect(await waiting.value == .closed)
    turns.giveBack()
    #expect(await turns.take() == .closed)
  }
}
