import Testing

@testable import BenchPeers

@Suite("What the load generators say")
struct WrkSummaryTests {
  private static let words = """
    Running 2s test @ http://10.200.0.1/
      1 threads and 64 connections
      Thread Stats   Avg      Stdev     Max   +/- Stdev
        Latency     0.98ms    1.02ms  21.11ms   97.11%
        Req/Sec    63.83k     3.04k   67.51k    80.00%
      Latency Distribution
         50%  723.00us
         75%    1.05ms
         90%    1.40ms
         99%    1.16s
      127041 requests in 2.00s, 20.96MB read
    Requests/sec:  63520.30
    Transfer/sec:     10.48MB
    """

  @Test func summary() throws {
    let summary = try #require(WrkSummary(WrkSummaryTests.words))
    #expect(summary.requestsPerSecond == 63520.30)
    #expect(summary.requestCount == 127_041)
    #expect(summary.p50Microseconds == 723)
    #expect(summary.p99Microseconds == 1_160_000)
    #expect(summary.errors == nil)
  }

  @Test func errorsAreNotOverlooked() throws {
    let words = WrkSummaryTests.words + "\n  Socket errors: connect 0, read 12, write 0, timeout 3"
    #expect(try #require(WrkSummary(words)).errors == "Socket errors: connect 0, read 12, write 0, timeout 3")
  }

  @Test func silenceIsNoSummary() {
    #expect(WrkSummary("") == nil)
    #expect(WrkSummary("unable to connect to 10.200.0.1:http Connection refused") == nil)
  }

  @Test(arguments: [("28.00us", 28.0), ("1.16ms", 1160), ("2.00s", 2e6), ("1.50m", 9e7)])
  func times(_ text: String, _ microseconds: Double) {
    #expect(WrkSummary.microseconds(text) == microseconds)
  }

  @Test func transfer() {
    let words = """
      [  5]   0.00-2.00   sec   832 MBytes  3490 Mbits/sec    0             sender
      [  5]   0.00-2.00   sec   825 MBytes  3461 Mbits/sec                  receiver

      iperf Done.
      """
    #expect(TransferSummary.gbitPerSecond(words) == 3.461)
    #expect(TransferSummary.gbitPerSecond("iperf3: error - unable to connect to server") == nil)
  }
}
