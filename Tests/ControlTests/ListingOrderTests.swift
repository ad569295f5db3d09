import Config
import Testing
import Wire

@testable import Control

/// The order of listings, as ipvsadm was seen to give it.
struct ListingOrderTests {
  private static func key(_ text: String) -> ServiceKey {
    let words = text.split(separator: " ").map(String.init)
    switch words[0] {
    case "FWM": return .mark(UInt32(words[1])!, words.count > 2 ? .ipv6 : .ipv4)
    case "UDP": return .address(.udp, Samples.endpoint(words[1]))
    case "SCTP": return .address(.sctp, Samples.endpoint(words[1]))
    default: return .address(.tcp, Samples.endpoint(words[1]))
    }
  }

  private static let recorded = [
    "FWM 4294967295", "TCP 0.0.0.0:0", "TCP 10.1.0.99:80", "TCP 10.1.0.100:80", "TCP 10.1.0.101:443",
    "TCP 10.1.0.101:444", "TCP 10.1.0.101:445", "UDP 10.1.0.100:53", "UDP 10.1.0.100:500", "UDP 10.1.0.100:5060",
    "SCTP 10.1.0.100:132", "TCP [fd00::1]:80", "FWM 7", "FWM 9 IPv6",
  ]

  @Test func servicesAreInTheRecordedOrder() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<20 {
      let services = ListingOrderTests.recorded.shuffled(using: &generator).enumerated().map { index, text in
        VirtualServices.Service(
          number: UInt16(index), endpoint: 1, spec: VirtualService(key: ListingOrderTests.key(text)),
          scheduler: .roundRobin, localPorts: 1...1)
      }
      #expect(ListingOrder.sorted(services).map(\.spec.key) == ListingOrderTests.recorded.map(ListingOrderTests.key))
    }
  }

  /// (name, newest first, as listed).
  static let servers: [(name: String, list: [String], listed: [String])] = [
    (
      "by address", ["10.2.0.13:80", "10.2.0.11:80", "10.2.0.12:80"], ["10.2.0.11:80", "10.2.0.12:80", "10.2.0.13:80"]
    ),
    ("by port", ["10.2.0.11:8080", "10.2.0.11:80"], ["10.2.0.11:80", "10.2.0.11:8080"]),
    ("both families", ["10.2.0.11:80", "[fd00:2::11]:80"], ["[fd00:2::11]:80", "10.2.0.11:80"]),
    ("IPv6", ["[fd00:2::12]:80", "[fd00:2::11]:80"], ["[fd00:2::11]:80", "[fd00:2::12]:80"]),
    ("far apart", ["10.0.0.5:80", "192.0.2.10:80"], ["192.0.2.10:80", "10.0.0.5:80"]),
    ("far apart, the other way", ["192.0.2.10:80", "10.0.0.5:80"], ["192.0.2.10:80", "10.0.0.5:80"]),
  ]

  @Test(arguments: servers.indices) func serversAreInTheOrderOfIpvsadm(row: Int) {
    let (name, list, listed) = ListingOrderTests.servers[row]
    let servers = list.map { text in
      VirtualServices.Server(
        number: 0, service: 0, spec: RealServer(endpoint: Samples.endpoint(text)), lastWeight: 1,
        forms: [VirtualServices.ServerForm(number: 0, method: .directRouting)], isAvailable: true)
    }
    #expect(ListingOrder.sorted(servers).map { "\($0.spec.endpoint)" } == listed, "\(name)")
  }
}
