import Config
import Testing

@testable import Control
@testable import HealthCheck

/// `ipvsadm -L --health`, and the same as JSON.
struct HealthListingTests {
  private static let text = """
    virtual_server 10.0.0.1 80 {
    protocol TCP
    lb_kind NAT
    sorry_server 10.9.9.9 80
    quorum 2
    real_server 10.1.0.1 80 {
    TCP_CHECK {
    }
    HTTP_GET {
    url { 
    path /
    status_code 200
    }
    }
    }
    real_server 10.1.0.2 80 {
    }
    }
    virtual_server 10.0.0.2 53 {
    protocol UDP
    real_server 10.1.0.3 53 {
    PING_CHECK {
    }
    }
    }
    """

  private static func status(
    _ check: NamedCheck, _ verdict: CheckVerdict, since: UInt64, error: CheckError? = nil, next: UInt64? = nil,
    isSuspended: Bool = false
  ) -> CheckStatus {
    CheckStatus(
      id: check.id, definition: check.definition, verdict: verdict, isPresumed: false, isSuspended: isSuspended,
      isRunning: next == nil, sinceNanoseconds: since * 1_000_000_000, failures: 0, weight: nil, lastError: error,
      lastNanoseconds: nil, nextNanoseconds: next.map { $0 * 1_000_000_000 })
  }

  private static func listing() throws -> HealthListing {
    let (configuration, findings) = parseConfiguration(bytes: Array(text.utf8), file: "t")
    try #require(findings.filter { $0.severity >= .error }.isEmpty, "\(findings)")
    var health = Health(configuration)
    let checks = health.checks
    _ = health.apply(
      CheckReport(
        id: checks[1].id, definition: checks[1].definition, event: .verdict(isFirst: true, failures: 1),
        verdict: .failed, weight: nil, error: .status(503), atNanoseconds: 0, nextNanoseconds: nil))
    return HealthListing(
      health,
      [
        status(checks[0], .well, since: 100, next: 1007),
        status(checks[1], .failed, since: 800, error: .status(503), next: 1003),
        status(checks[2], .well, since: 999, isSuspended: true),
      ], nowNanoseconds: 1_000_500_000_000)
  }

  @Test func everyServerHasItsLine() throws {
    let text = try HealthListingTests.listing().text(only: nil)
    #expect(
      text == """
        Service                      State
          -> RealServer              State  Since     Next check  Last error
        [10.0.0.1]:tcp:80            down (weight 1, quorum 2): the sorry server serves
          -> [10.1.0.1]:tcp:80       down   3m20s     2.5s        status 503
          -> [10.1.0.2]:tcp:80       up     -         unchecked   -
        [10.0.0.2]:udp:53            up (weight 1, quorum 1)
          -> [10.1.0.3]:udp:53       up     1s        suspended   -

        """)
  }

  @Test func oneServiceAlone() throws {
    let listing = try HealthListingTests.listing()
    let key = try #require(VirtualServicesSample.key("10.0.0.2", 53))
    #expect(listing.text(only: key).split(separator: "\n").count == 4)
    #expect(listing.json(only: key).contains("\"name\":\"[10.0.0.2]:udp:53\""))
    #expect(!listing.json(only: key).contains("10.0.0.1"))
  }

  @Test(
    arguments: [
      (0, "0s"), (59, "59s"), (60, "1m0s"), (3599, "59m59s"), (3600, "1h0m"), (86399, "23h59m"), (86400, "1d0h"),
      (200_000, "2d7h"),
    ] as [(UInt64, String)])
  func spans(seconds: UInt64, text: String) { #expect(HealthListing.span(seconds) == text) }
}

private enum VirtualServicesSample {
  static func key(_ address: String, _ port: UInt16) -> ServiceKey? {
    let text = "virtual_server \(address) \(port) {\nprotocol UDP\nreal_server 10.1.0.3 53 {\n}\n}"
    return parseConfiguration(bytes: Array(text.utf8), file: "t").0.services.first?.key
  }
}
