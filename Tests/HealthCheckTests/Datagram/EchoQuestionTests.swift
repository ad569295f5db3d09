import Testing
import Wire

@testable import HealthCheck

@Suite struct EchoQuestionTests {
  /// The reply that a host makes of a request: another type, the rest unchanged.
  private static func reply(_ bytes: [UInt8], type: UInt8) -> [UInt8] { [type] + bytes.dropFirst() }

  @Test func requestsAreWellFormed() {
    let four = EchoQuestion(.ipv4, token: 0x0102_0304_0506_0708, isRaw: false)
    #expect(four.bytes.count == 136)
    #expect(four.bytes[0] == 8 && four.bytes[1] == 0)
    var sum = Checksum()
    four.bytes.withUnsafeBytes { sum.add($0) }
    #expect(sum.folded == 0xffff)
    let six = EchoQuestion(.ipv6, token: 1, isRaw: true)
    #expect(six.bytes[0] == 128 && six.bytes.count == 136)
  }

  @Test func repliesBringBackWhatWasSent() {
    for (family, type) in [(IPAddress.Family.ipv4, UInt8(0)), (.ipv6, 129)] {
      let question = EchoQuestion(family, token: 77, isRaw: false)
      var good = Self.reply(question.bytes, type: type)
      #expect(question.result(of: good) == .well())
      // The kernel's own identifier.
      good[4] = 9
      good[2] = 1
      #expect(question.result(of: good) == .well())
      #expect(question.result(of: question.bytes) == nil)
      #expect(question.result(of: Array(good.dropLast())) == nil)
      #expect(question.result(of: good + [0]) == nil)
      #expect(EchoQuestion(family, token: 78, isRaw: false).result(of: good) == nil)
      #expect(question.result(of: []) == nil)
    }
  }

  @Test func rawRepliesHaveAHeaderOverIPv4() {
    let question = EchoQuestion(.ipv4, token: 77, isRaw: true)
    let reply = Self.reply(question.bytes, type: 0)
    #expect(question.result(of: reply) == nil)
    #expect(question.result(of: [0x45] + [UInt8](repeating: 0, count: 19) + reply) == .well())
    #expect(question.result(of: [0x46] + [UInt8](repeating: 0, count: 23) + reply) == .well())
    #expect(question.result(of: [0x4f]) == nil)
    #expect(question.result(of: [0x65] + [UInt8](repeating: 0, count: 19) + reply) == nil)
  }
}
