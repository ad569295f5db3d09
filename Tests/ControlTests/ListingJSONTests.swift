import Config
import Dataplane
import Foundation
import Testing

@testable import Control

struct ListingJSONTests {
  private func object(_ words: String, _ lines: String = ListingNumbersTests.commands) throws -> [String: Any] {
    guard case .list(let request) = try IpvsadmCommand.parse(words.split(separator: " ").map(String.init)).get() else {
      return [:]
    }
    var listing = Listing(
      services: Samples.services(lines), dataplane: try Dataplane(connections: 1024, bothDirections: true, seed: 1))
    listing.rates = RateEstimator()
    try listing.daemons.start(SyncDaemonSpec(role: .backup)) { _ in 1500 }
    let text = try listing.text(request, timeouts: ConnectionTimeouts(), nowNanoseconds: 0)
    return try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] ?? [:]
  }

  @Test func servicesHaveEverything() throws {
    let services = try #require(try object("-L --json")["services"] as? [[String: Any]])
    #expect(services.count == 10)
    let first = try #require(services.first { $0["address"] as? String == "10.1.0.99" })
    #expect(first["scheduler"] as? String == "wrr" && first["netmask"] as? String == "255.255.255.0")
    let servers = try #require(first["servers"] as? [[String: Any]])
    #expect(servers.map { $0["address"] as? String } == ["10.2.0.11", "10.2.0.12"])
    #expect(servers[1]["u_threshold"] as? Int == 100 && servers[1]["weight"] as? Int == 2)
    #expect((servers[1]["stats"] as? [String: Int])?["conns"] == 0)
    #expect(services.contains { $0["fwmark"] as? Int == 4_294_967_295 })
  }

  @Test func oneServiceAlone() throws {
    let found = try object("-L --json -t 10.1.0.99:80")
    #expect((found["services"] as? [Any])?.count == 1 && found["total"] == nil)
  }

  @Test func otherForms() throws {
    #expect((try object("-L --json")["total"] as? [String: Any])?["stats"] != nil)
    #expect(try object("-L --timeout --json")["timeouts"] as? [String: Int] == ["tcp": 900, "tcpfin": 120, "udp": 300])
    #expect((try object("-L --daemon --json")["daemons"] as? [[String: Any]])?.first?["maxlen"] as? Int == 1472)
    #expect((try object("-Lc --json")["connections"] as? [Any])?.isEmpty == true)
  }
}
