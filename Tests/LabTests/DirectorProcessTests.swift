import Testing

@testable import Lab

@Suite struct DirectorProcessTests {
  struct Row: Sendable, CustomTestStringConvertible {
    let log: String
    let isReady: Bool
    var testDescription: String { "\"\(log)\"" }
  }

  @Test(arguments: [
    Row(log: "2026-01-01T00:00:00Z info lbd: ready, 2 workers\n", isReady: true),
    Row(log: "loading\nready", isReady: true),
    Row(log: "cannot bind: EADDRINUSE (address already in use)", isReady: false),
    Row(log: "", isReady: false),
  ])
  func waitsForTheWord(_ row: Row) {
    #expect(DirectorProcess.saysReady(row.log) == row.isReady)
  }
}
