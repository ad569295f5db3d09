import Glibc
import Testing
import Wire

@testable import Lab

@Suite struct TrafficTests {
  private static let summary = """
    Running 1s test @ http://10.200.0.1/
      1 threads and 64 connections
      32012 requests in 1.00s, 5.31MB read
    Requests/sec:  31874.55
    Transfer/sec:      5.29MB
    """

  @Test func readsTheRate() {
    let load = Traffic.Load(TrafficTests.summary)
    #expect(load?.requestsPerSecond == 31874.55)
    #expect(load?.errors == nil)
    #expect(Traffic.Load("unable to connect") == nil)
  }

  @Test(arguments: ["  Socket errors: connect 0, read 3, write 0, timeout 0", "  Non-2xx or 3xx responses: 12"])
  func seesErrors(_ line: String) {
    #expect(Traffic.Load(line + "\n" + TrafficTests.summary)?.errors == String(line.dropFirst(2)))
  }

  @Test func readsThePath() {
    let text = """
       1?: [LOCALHOST]                      pmtu 1500
       1:  10.200.0.1                                            0.051ms pmtu 1480
       1:  10.200.0.1                                            0.011ms
       2:  10.200.0.1                                            0.034ms reached
           Resume: pmtu 1480 hops 2 back 2
      """
    #expect(Traffic.summary(ofTracepath: text) == [1480, 2])
    #expect(Traffic.summary(ofTracepath: "tracepath: no route") == nil)
    #expect(Traffic.summary(ofTracepath: "Resume: pmtu 1480") == nil)
  }

  struct ShareRow: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let answers: [String]
    let complaint: String?
  }

  @Test(arguments: [
    ShareRow(testDescription: "equal", answers: ["this is RS01", "this is RS02"], complaint: nil),
    ShareRow(
      testDescription: "one server only", answers: ["this is RS01", "this is RS01"],
      complaint: "not the same share: 2 + 0"),
    ShareRow(
      testDescription: "more than one scheduled twice",
      answers: ["this is RS01"] + [String](repeating: "this is RS02", count: 4),
      complaint: "not the same share: 1 + 4"),
    ShareRow(
      testDescription: "somebody else", answers: ["this is RS01", "who"], complaint: "1 + 0 answers of 2 are a server's"
    ),
  ])
  func judgesShares(_ row: ShareRow) throws {
    let network = LabNetwork(plan: LabPlan(mode: .dr), executable: "/bin/true")
    let traffic = Traffic(network: network, family: .ipv4)
    let result = Result { try traffic.equalShares(of: row.answers) }
    switch (result, row.complaint) {
    case (.success(let shares), nil): #expect(shares == [1, 1])
    case (.failure(let failure), let complaint?): #expect("\(failure)" == complaint)
    default: Issue.record("\(result)")
    }
  }

  @Test func consoleSpelling() {
    #expect(Console.grouped(0) == "0")
    #expect(Console.grouped(999) == "999")
    #expect(Console.grouped(1_234_567) == "1,234,567")
    #expect(Console.tenths(0.25) == "0.3")
    #expect(Console.padded("ab", to: 4, with: "-") == "ab--")
  }
}
