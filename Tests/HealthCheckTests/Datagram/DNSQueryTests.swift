import Testing

@testable import HealthCheck

@Suite struct DNSQueryTests {
  private static func query(_ name: String, _ type: DNSDefinition.RecordType = .soa) throws -> DNSQuery {
    var definition = DNSDefinition()
    definition.name = name
    definition.type = type
    return try DNSQuery(definition, id: 0x1234)
  }

  /// The question with the bits of an answer set.
  static func answer(to question: [UInt8], code: UInt8 = 0) -> [UInt8] {
    var answer = question
    answer[2] |= 0x80
    answer[3] = 0x80 | code
    return answer
  }

  @Test func questionsAreThoseOfRFC1035() throws {
    #expect(try Self.query(".").bytes == [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1])
    let name: [UInt8] = [3, 119, 119, 119, 1, 120, 0]
    let head: [UInt8] = [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    #expect(try Self.query("www.x", .aaaa).bytes == head + name + [0, 28, 0, 1])
    #expect(try Self.query("www.x.", .aaaa).bytes == head + name + [0, 28, 0, 1])
  }

  @Test func namesThatCannotBeAsked() {
    let long = String(repeating: "a", count: 64)
    for name in ["a..b", "..", ".a", long, Array(repeating: "abcdefg", count: 32).joined(separator: ".")] {
      #expect(throws: CheckError.self, "\(name)") { try Self.query(name) }
    }
    let longest = Array(repeating: "abcdefg", count: 31).joined(separator: ".") + ".abcde"
    #expect(throws: Never.self) { try Self.query(longest) }
  }

  @Test func typesHaveTheirNames() {
    let names = ["A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "DNSKEY"]
    #expect(DNSDefinition.RecordType.allCases.map(\.name) == names)
    #expect(names.allSatisfy { DNSDefinition.RecordType(name: $0)?.name == $0 })
    #expect(DNSDefinition.RecordType(name: "PTR") == nil)
  }

  @Test func answers() throws {
    let query = try Self.query("www.example", .a)
    let good = Self.answer(to: query.bytes)
    #expect(query.result(of: good) == .well())
    // Records behind the question, or their absence, do not matter.
    #expect(query.result(of: good + [1, 2, 3]) == .well())
    for code: UInt8 in [1, 2, 3, 5, 15] {
      #expect(query.result(of: Self.answer(to: query.bytes, code: code)) == .failed(.responseCode(Int(code))))
    }
    // Other letters of the name are the same name.
    #expect(query.result(of: good.map { $0 == 119 ? 87 : $0 }) == .well())
  }

  @Test func whatIsNoAnswerIsWaitedOut() throws {
    let query = try Self.query("www.example", .a)
    let good = Self.answer(to: query.bytes)
    func changed(_ index: Int, _ byte: UInt8) -> [UInt8] {
      var answer = good
      answer[index] = byte
      return answer
    }
    #expect(query.result(of: []) == nil)
    #expect(query.result(of: changed(0, 0x13)) == nil)
    #expect(query.result(of: changed(1, 0)) == nil)
    // Another name, another type.
    #expect(query.result(of: changed(13, 120)) == nil)
    #expect(query.result(of: changed(good.count - 3, 2)) == nil)
  }

  @Test func whatIsBrokenFails() throws {
    let query = try Self.query("www.example", .a)
    let good = Self.answer(to: query.bytes)
    #expect(query.result(of: query.bytes) == .failed(.malformed))
    #expect(query.result(of: Array(good.prefix(11))) == .failed(.malformed))
    #expect(query.result(of: Array(good.dropLast())) == .failed(.malformed))
    var answer = good
    answer[2] |= 0x28
    #expect(query.result(of: answer) == .failed(.malformed))
    answer = good
    answer[5] = 0
    #expect(query.result(of: answer) == .failed(.malformed))
    answer[3] = 5
    #expect(query.result(of: Array(answer.prefix(12))) == .failed(.responseCode(5)))
  }
}
