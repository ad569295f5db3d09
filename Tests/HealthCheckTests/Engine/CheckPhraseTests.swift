import Testing

@testable import HealthCheck

/// The words that people search their logs for.
@Suite struct CheckPhraseTests {
  private static func phrase(
    _ kind: CheckKind, _ verdict: CheckVerdict, failures: Int = 1, _ error: CheckError? = nil
  ) -> String? {
    CheckReport(
      id: Samples.id(), definition: Samples.definition(kind), event: .verdict(isFirst: false, failures: failures),
      verdict: verdict, weight: nil, error: error, atNanoseconds: 0, nextNanoseconds: nil
    ).phrase
  }

  private static let rs = "[10.0.0.1]:tcp:80"

  @Test func successes() {
    #expect(Self.phrase(.tcp, .well) == "TCP connection to \(Self.rs) success.")
    #expect(Self.phrase(Samples.pages(1), .well) == "Remote Web server \(Self.rs) succeed on service.")
    #expect(Self.phrase(.smtp(heloName: ""), .well) == "Remote SMTP server \(Self.rs) succeed on service.")
    #expect(Self.phrase(.ping, .well) == "ICMP connection to \(Self.rs) success.")
  }

  @Test func failures() {
    #expect(Self.phrase(.tcp, .failed) == "TCP_CHECK on service \(Self.rs) failed.")
    #expect(Self.phrase(.tcp, .failed, failures: 4) == "TCP_CHECK on service \(Self.rs) failed after 3 retries.")
    #expect(
      Self.phrase(Samples.pages(1), .failed, failures: 2) == "HTTP_CHECK on service \(Self.rs) failed after 1 retries.")
    #expect(
      Self.phrase(.dns(DNSDefinition()), .failed, failures: 4, .readTimeout)
        == "DNS_CHECK (\(Self.rs)) read timeout from socket after 3 retries")
    #expect(
      Self.phrase(.script(ScriptDefinition(words: ["/bin/x", "-v"], timeout: .zero)), .failed, .exited(1))
        == "Misc check for [\(Self.rs) VS [10.0.0.100]:tcp:80] by [/bin/x] failed (exited with status 1).")
  }

  @Test func details() {
    #expect(
      CheckError.status(500).phrase(of: Samples.pages(1), server: Self.rs)
        == "HTTP status code error to server \(Self.rs).")
    #expect(
      CheckError.digest("00").phrase(of: Samples.pages(1), server: Self.rs) == "MD5 digest error to server \(Self.rs).")
    #expect(
      CheckError.connectTimeout.phrase(of: Samples.pages(1), server: Self.rs) == "Timeout connecting server \(Self.rs)."
    )
    #expect(
      CheckError.noData.phrase(of: Samples.pages(1), server: Self.rs)
        == "Read, no data received from server \(Self.rs).")
  }
}
