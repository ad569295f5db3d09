import Testing
import Wire

@testable import Config

struct MarkedEndpointTests {
  @Test(
    arguments: [
      ("10.0.0.1:80", .tcp, 28, 28), ("10.0.0.1:0", nil, 0, 0),
      ("[fd00::1]:53", .udp, 18, 0), ("1.2.3.4:9", .sctp, 5, 7),
    ] as [(String, TransportProtocol?, Int, Int)])
  func survivesTheText(text: String, transport: TransportProtocol?, width: Int, limit: Int) throws {
    let endpoint = try #require(IpvsadmNames().endpoint(text, defaultPort: 0, .tcp))
    let mark = MarkedEndpoint(endpoint, transport, width: width, limit: limit)
    let bytes = Array(mark.marked.utf8)
    #expect(bytes.first == MarkedEndpoint.bounds.open && bytes.last == MarkedEndpoint.bounds.close)
    #expect(MarkedEndpoint(bytes[1..<(bytes.count - 1)]) == mark)
  }

  @Test(
    arguments: [
      ("10.0.0.1:80", 20, 28, nil, nil, "10.0.0.1:80         "), ("10.0.0.1:80", 0, 28, "www", "http", "www:http"),
      ("10.0.0.1:80", 5, 10, "www.example.com", "http", "www.exampl"),
      ("[fd00::1]:80", 12, 4, "www", nil, "[www]:80    "),
      ("[fd00::1]:80", 0, 0, nil, "http", "[fd00::1]:http"),
    ] as [(String, Int, Int, String?, String?, String)])
  func fillsItsColumn(text: String, width: Int, limit: Int, host: String?, port: String?, expected: String) throws {
    let endpoint = try #require(IpvsadmNames().endpoint(text, defaultPort: 0, .tcp))
    #expect(MarkedEndpoint(endpoint, .tcp, width: width, limit: limit).column(host: host, port: port) == expected)
  }

  @Test(arguments: ["", "t", "t0000", "tWWCC10.0.0.1:80", "t1010nonsense", "t10\u{1}010.0.0.1:80"])
  func nonsenseIsNone(text: String) { #expect(MarkedEndpoint(Array(text.utf8)[...]) == nil) }
}
