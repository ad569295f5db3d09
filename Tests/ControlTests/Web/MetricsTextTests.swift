import Config
import Dataplane
import Foundation
import Notify
import Testing

@testable import Control

/// The exposition is well formed, whole, and what the document says.
struct MetricsTextTests {
  private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()

  private static func text() throws -> String {
    let lines = """
      virtual_server 10.1.0.1 80 {
      protocol TCP
      lb_kind NAT
      passive_check {
      }
      real_server 10.2.0.1 80 {
      weight 3
      TCP_CHECK {
      }
      }
      }
      """
    let (configuration, findings) = parseConfiguration(bytes: Array(lines.utf8), file: "t")
    try #require(findings.filter { $0.severity >= .error }.isEmpty)
    let health = Health(configuration)
    var administration = Administration()
    try administration.services.load(configuration, health: health)
    let place = WhyPlace(
      dataplane: try Dataplane(connections: 1024, bothDirections: true, seed: 1), topology: Samples.topology(""),
      ports: PortMap(links: []), administration: administration, markRules: [], nowNanoseconds: 5_000_000_000,
      health: { HealthListing(health, [], nowNanoseconds: 5_000_000_000) })
    return MetricsText.text(place, told: NotifierNumbers(), uptimeSeconds: 7)
  }

  /// Every line is a comment of two kinds or a sample of the metric that was described last.
  @Test func everyLineIsOfTheFormat() throws {
    var described: (name: String, kind: String)?
    var seen: Set<String> = []
    for line in try MetricsTextTests.text().split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      if let match = line.wholeMatch(of: /# HELP (lbd_[a-z_]+) .+\./) {
        #expect(seen.insert(String(match.1)).inserted, "\(line)")
        described = (String(match.1), "")
      } else if let match = line.wholeMatch(of: /# TYPE (lbd_[a-z_]+) (counter|gauge)/) {
        #expect(described?.name == String(match.1))
        described?.kind = String(match.2)
        #expect((match.2 == "counter") == match.1.hasSuffix("_total"), "\(line)")
      } else {
        let label = #"[a-z_]+="(?:[^"\\\n]|\\["\\n])*""#
        let sample = try Regex<(Substring, Substring)>(#"(lbd_[a-z_]+)(?:\{\#(label)(?:,\#(label))*\})? [0-9.e+-]+"#)
        let match = line.wholeMatch(of: sample)
        #expect(match.map { String($0.1) } == described?.name, "\(line)")
        #expect(described?.kind != "")
      }
    }
    #expect(!seen.isEmpty)
  }

  @Test func whatIsKnownIsThere() throws {
    let lines = try MetricsTextTests.text().split(separator: "\n").map(String.init)
    for line in [
      "lbd_uptime_seconds 7", "lbd_services 1",
      "lbd_server_weight{service=\"TCP 10.1.0.1:80\",server=\"10.2.0.1:80\"} 3",
      "lbd_service_packets_total{service=\"TCP 10.1.0.1:80\",direction=\"out\"} 0",
      "lbd_virtual_server_up{virtual_server=\"[10.1.0.1]:tcp:80\"} 1",
      "lbd_real_server_up{virtual_server=\"[10.1.0.1]:tcp:80\",real_server=\"[10.2.0.1]:tcp:80\"} 1",
      "lbd_server_opened_connections_total{service=\"TCP 10.1.0.1:80\",server=\"10.2.0.1:80\"} 0",
      "lbd_real_server_passively_removed{virtual_server=\"[10.1.0.1]:tcp:80\",real_server=\"[10.2.0.1]:tcp:80\"} 0",
      "lbd_mails_sent_total 0",
    ] { #expect(lines.contains(line), "\(line)") }
  }

  private static func names(_ text: String) -> Set<String> {
    Set(text.matches(of: /lbd_[a-z_]+/).map { String($0.0) })
  }

  /// docs/metrics.md has a row for each metric, with its kind, and none besides.
  @Test func theDocumentIsInStep() throws {
    let document = try String(
      contentsOf: MetricsTextTests.root.appendingPathComponent("docs/metrics.md"), encoding: .utf8)
    let source = try String(
      contentsOf: MetricsTextTests.root.appendingPathComponent("Sources/Control/Web/MetricsText.swift"),
      encoding: .utf8)
    let written = source.matches(of: /"([a-z_]+)", \.(counter|gauge),/).map { "| `lbd_\($0.1)` | \($0.2) |" }
    let rows = document.matches(of: /\| `lbd_[a-z_]+` \| [a-z]+ \|/).map { String($0.0) }
    #expect(rows == written && !rows.isEmpty)
    // Workers and outcomes have no samples where nothing runs.
    let told = MetricsTextTests.names(try MetricsTextTests.text())
    #expect(told.isSubset(of: MetricsTextTests.names(document)))
  }

  @Test func theDashboardAsksForWhatThereIs() throws {
    let data = try Data(contentsOf: MetricsTextTests.root.appendingPathComponent("examples/grafana-dashboard.json"))
    let dashboard = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
    let panels = try #require(dashboard["panels"] as? [[String: Any]])
    let asked = panels.flatMap { $0["targets"] as? [[String: Any]] ?? [] }.compactMap { $0["expr"] as? String }
    #expect(asked.count >= panels.count)
    let document = try String(
      contentsOf: MetricsTextTests.root.appendingPathComponent("docs/metrics.md"), encoding: .utf8)
    #expect(MetricsTextTests.names(asked.joined(separator: "\n")).isSubset(of: MetricsTextTests.names(document)))
  }

  @Test(arguments: [("plain", "{a=\"plain\"}"), ("\"\\\n", "{a=\"\\\"\\\\\\n\"}"), ("é", "{a=\"é\"}")])
  func labelsAreEscaped(value: String, text: String) { #expect(MetricsText.labels(("a", value)) == text) }

  @Test(arguments: [(0, "0.000000000"), (1, "0.000000001"), (61_500_000_000, "61.500000000")] as [(UInt64, String)])
  func secondsHaveNineDigits(nanoseconds: UInt64, text: String) {
    #expect(MetricsText.seconds(nanoseconds: nanoseconds) == text)
  }
}
