import NIOCore
import NIOPosix
import Testing

@testable import Control

/// Questions of many become one of the director's, and everybody has the answer.
struct WebTextsTests {
  @Test func manyAskAndOneAnswers() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    // A busy machine may take long to get on with this test.
    let texts = try WebTexts(on: loop, patience: .hours(1))
    let answers = (0..<10).map { _ in loop.flatSubmit { texts.text(.metrics) } }
    try await loop.submit {}.get()
    #expect(texts.questions() == [.metrics])
    texts.answer(.metrics, "text")
    for answer in answers { #expect(try await answer.get() == Array("text".utf8)) }
    #expect(texts.questions().isEmpty)
    texts.close()
  }

  @Test func whoeverWaitsAtTheEndIsTold() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let texts = try WebTexts(on: loop)
    let answer = loop.flatSubmit { texts.text(.status) }
    try await loop.submit {}.get()
    texts.close()
    await #expect(throws: WebTexts.Unanswered.self) { try await answer.get() }
  }

  @Test func tooManyAreSentAway() async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let texts = try WebTexts(on: loop, patience: .hours(1))
    let waiting = (0..<WebTexts.waitingMax).map { _ in loop.flatSubmit { texts.text(.status) } }
    await #expect(throws: WebTexts.Unanswered.self) { try await loop.flatSubmit { texts.text(.status) }.get() }
    texts.close()
    for one in waiting { _ = try? await one.get() }
  }
}
