import Testing

@testable import Lab

@Suite struct DirectorReportTests {
  private static func text(received: Int = 123, forwarded: Int = 100, balance: String? = nil) -> String {
    """
    # services
    IP Virtual Server version 1.2.1 (size=4096)
    Prot LocalAddress:Port Scheduler Flags
      -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
    TCP  10.200.0.1:80 rr
    # connections
    IPVS connection entries
    # outcomes
    received \(received)
    forwarded.directRouting \(forwarded - 1)
    forwarded.tunnel 1
    passed.noConnection 2
    dropped.malformed 21
    dropped.other 0
    # balance
    \(balance ?? "received 123 = forwarded 100 + passed 2 + dropped 21")

    """
  }

  @Test func parses() throws {
    let report = try #require(DirectorReport(DirectorReportTests.text()))
    #expect(report.services.count == 4)
    #expect(report.services[2].hasPrefix("  -> "))
    #expect(report.connections == ["IPVS connection entries"])
    #expect(report.count("passed.noConnection") == 2)
    #expect(report.count("passed.unknown") == 0)
    #expect(report.sum("forwarded") == 100)
    #expect(report.imbalance == nil)
  }

  struct ImbalanceRow: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    let complaint: String
  }

  @Test(arguments: [
    ImbalanceRow(
      testDescription: "the line does not add up",
      text: text(balance: "received 124 = forwarded 100 + passed 2 + dropped 21"), complaint: "does not add up"),
    ImbalanceRow(
      testDescription: "the outcomes disagree with the line", text: text(forwarded: 99), complaint: "forwarded is 100"),
    ImbalanceRow(
      testDescription: "received disagrees", text: text(received: 122), complaint: "received is 122"),
    ImbalanceRow(testDescription: "no numbers", text: text(balance: "none"), complaint: "no balance line"),
  ])
  func complains(_ row: ImbalanceRow) throws {
    let report = try #require(DirectorReport(row.text))
    #expect(report.imbalance?.contains(row.complaint) == true)
  }

  @Test func incompleteReportsAreNotReports() {
    let whole = DirectorReportTests.text()
    for count in 0..<whole.count {
      #expect(DirectorReport(String(whole.prefix(count))) == nil)
    }
  }
}
