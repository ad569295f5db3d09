import Testing
import Wire

@testable import Config

struct WhyQuestionTests {
  private func question(_ line: String, _ input: [UInt8] = []) throws -> WhyQuestion {
    try WhyQuestion(words: line.split(separator: " ").map(String.init), input: input)
  }

  @Test(arguments: [
    "tcp 10.1.0.50:1234 10.1.0.100:80", "udp [2001:db8::5]:53 [fd00::1]:0 --worker 3 --json --interface eth0",
    "--flags fin,ack --ttl 1 tcp 10.1.0.50:65535 10.1.0.100:80 --size 1400", "sctp 10.1.0.50:1 10.1.0.100:2",
    "tcp 10.1.0.50:1234 10.1.0.100:80 --flags none", "--capture",
  ])
  func survivesItsWords(line: String) throws {
    let question = try question(line)
    #expect(try WhyQuestion(words: question.words, input: question.input) == question)
    #expect(try LbdQuestion(LbdQuestion.why(question).request) == .why(question))
  }

  @Test func words() throws {
    let question = try question("UDP [2001:db8::5]:53 [fd00::1]:80 --ttl 9 --size 7 --worker 2")
    #expect(question.flow?.transport == .udp && question.flow?.hops == 9 && question.flow?.payloadByteCount == 7)
    #expect(question.flow?.source == Endpoint(address: IPAddress("2001:db8::5")!, port: 53))
    #expect(question.worker == 2 && !question.isJSON && question.interface == nil)
    #expect(try self.question("tcp 10.0.0.1:1 10.0.0.2:2").flow?.flags == TCP.syn)
    #expect(try self.question("tcp 10.0.0.1:1 10.0.0.2:2 --flags SYN,ack").flow?.flags == TCP.syn | TCP.ack)
  }

  @Test func framesSurvive() throws {
    let frames = [
      WhyQuestion.Frame(nanoseconds: 0, bytes: [1, 2, 3]),
      WhyQuestion.Frame(nanoseconds: 0x1_2345_6789_abcd, bytes: []),
    ]
    let question = WhyQuestion(frames: frames)
    #expect(try WhyQuestion(words: question.words, input: question.input) == question)
    for count in 1..<question.input.count where count != 15 {
      #expect(throws: IpvsadmError.self) { try self.question("--capture", Array(question.input.prefix(count))) }
    }
  }

  @Test(arguments: [
    "", "tcp", "tcp 10.0.0.1:1", "icmp 10.0.0.1:1 10.0.0.2:2", "tcp 10.0.0.1 10.0.0.2:2",
    "tcp 10.0.0.1:70000 10.0.0.2:2",
    "tcp [10.0.0.1]:1 10.0.0.2:2", "tcp fd00::1:80 [fd00::2]:2", "tcp [fd00::1]:80 10.0.0.2:2",
    "tcp 10.0.0.1:1 10.0.0.2:2 --flags syn,", "tcp 10.0.0.1:1 10.0.0.2:2 --ttl 256",
    "tcp 10.0.0.1:1 10.0.0.2:2 --size 3601", "tcp 10.0.0.1:1 10.0.0.2:2 --worker -1", "tcp 10.0.0.1:1 10.0.0.2:2 --ttl",
    "tcp 10.0.0.1:1 10.0.0.2:2 --color", "--capture tcp 10.0.0.1:1 10.0.0.2:2", "--capture --ttl 3", "tcp a b c d",
  ])
  func refused(line: String) {
    #expect(throws: IpvsadmError.self) { try question(line) }
  }

  @Test func questions() throws {
    #expect(try LbdQuestion(LbdQuestion.numbers.request) == .numbers)
    var request = AdminRequest()
    request.isOwn = true
    for words in [[], ["numbers", "all"], ["-L"], ["why"]] {
      request.arguments = words
      #expect(throws: IpvsadmError.self) { try LbdQuestion(request) }
    }
  }
}
