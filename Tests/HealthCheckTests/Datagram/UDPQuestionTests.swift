import Testing

@testable import HealthCheck

@Suite struct UDPQuestionTests {
  private static func question(_ change: (inout UDPDefinition) -> Void) -> UDPQuestion {
    var definition = UDPDefinition()
    definition.requiresReply = true
    change(&definition)
    return UDPQuestion(definition)
  }

  @Test func somethingIsSent() {
    #expect(!UDPQuestion(UDPDefinition()).bytes.isEmpty)
    #expect(Self.question { $0.payload = [1, 2] }.bytes == [1, 2])
    #expect(Self.question { $0.payload = [] }.bytes == [])
  }

  @Test func silenceIsGoodUnlessAReplyIsRequired() {
    #expect(UDPQuestion(UDPDefinition()).silence == .well())
    #expect(Self.question { _ in }.silence == .failed(.readTimeout))
  }

  @Test func repliesAreComparedOverTheShorterLength() {
    let question = Self.question { $0.replyBytes = [1, 2, 3] }
    #expect(question.result(of: [1, 2, 3]) == .well())
    #expect(question.result(of: [1, 2, 3, 4]) == .well())
    #expect(question.result(of: [1, 2]) == .well())
    #expect(question.result(of: []) == .well())
    #expect(question.result(of: [1, 3]) == .failed(.reply))
  }

  @Test func onlyBitsOfTheMaskCount() {
    let question = Self.question {
      $0.replyBytes = [0x10, 0x22]
      $0.replyMask = [0xf0]
    }
    #expect(question.result(of: [0x1f, 0x22]) == .well())
    #expect(question.result(of: [0x2f, 0x22]) == .failed(.reply))
    #expect(question.result(of: [0x1f, 0x23]) == .failed(.reply))
  }

  @Test func lengthsCountOnlyWithBytes() {
    let free = Self.question {
      $0.minReplyLength = 2
      $0.maxReplyLength = 3
    }
    #expect(free.result(of: [1]) == .well())
    let bound = Self.question {
      $0.minReplyLength = 2
      $0.maxReplyLength = 3
      $0.replyBytes = [1]
    }
    #expect(bound.result(of: [1]) == .failed(.reply))
    #expect(bound.result(of: [1, 9]) == .well())
    #expect(bound.result(of: [1, 9, 9]) == .well())
    #expect(bound.result(of: [1, 9, 9, 9]) == .failed(.reply))
  }
}
