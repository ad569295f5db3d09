import Testing
import Wire

@testable import VRRP

/// Every advert that was recorded of keepalived 2.2.7: we send the same bytes, and understand them.
@Suite struct RecordedAdvertTests {
  /// What the routers of each capture were configured with.
  static func definition(of name: String, source: IPAddress) -> InstanceDefinition {
    let isIPv6 = name == "v3_ipv6"
    let addresses: [String] =
      switch name {
      case "v2_noauth_3vip": ["10.99.0.100", "10.99.0.101", "10.99.0.102"]
      case "v3_ipv4": ["10.99.0.100", "10.99.0.101"]
      case "v3_ipv6": ["fe80::5eff:100", "2001:db8:99::100"]
      default: ["10.99.0.100"]
      }
    var definition = InstanceDefinition(
      name: "VI_1", virtualRouter: 51, version: name.hasPrefix("v3") ? .three : .two, source: source,
      addresses: addresses.compactMap { IPAddress($0) })
    if name.contains("unicast") {
      let other = source == IPAddress("10.99.0.11") ? "10.99.0.12" : "10.99.0.11"
      definition.destination = .peers([.init(IPAddress(other)!)], hopLimit: name.hasSuffix("ttl64") ? 64 : 255)
    }
    if name.contains("pass") { definition.configuredAuthentication = .password(AuthenticationKey("1111".utf8)) }
    if name.contains("ah") { definition.configuredAuthentication = .header(AuthenticationKey("secret12".utf8)) }
    if name == "v3_ipv4_100ms" { definition.configuredInterval = 100_000 }
    #expect(isIPv6 == (definition.family == .ipv6))
    return definition
  }

  static func source(of datagram: [UInt8]) -> IPAddress {
    datagram.withUnsafeBytes { bytes in
      datagram[0] >> 4 == 4 ? IPv4.source(bytes.baseAddress!) : IPv6.source(bytes.baseAddress!)
    }
  }

  /// The flow label is the kernel's: a hash of it and the addresses.
  static func withoutFlowLabel(_ datagram: [UInt8]) -> [UInt8] {
    guard datagram[0] >> 4 == 6 else { return datagram }
    return [datagram[0], datagram[1] & 0xf0, 0, 0] + datagram[4...]
  }

  static func isJunk(_ datagram: [UInt8]) -> Bool { source(of: datagram) == IPAddress("10.99.0.13") }

  @Test(arguments: Capture.names) func sendsTheSame(name: String) throws {
    let adverts = try Capture(name).frames.compactMap(\.advert).filter { !Self.isJunk($0) }
    #expect(adverts.count >= 3)
    // A router that starts again counts its datagrams from 1 again.
    var writers: [IPAddress: AdvertWriter] = [:]
    var sequence = AuthenticationSequence()
    for advert in adverts {
      let source = Self.source(of: advert)
      let definition = Self.definition(of: name, source: source)
      let head = try #require(Self.datagram(advert) { $0?.head })
      let isFirst = advert[0] >> 4 == 4 && advert[4...5] == [0, 1]
      var writer = isFirst ? AdvertWriter() : writers[source] ?? AdvertWriter()
      writer.sequence = sequence
      let sent = writer.adverts(of: definition, priority: head.priority)
      writers[source] = writer
      sequence = writer.sequence
      #expect(sent.map(\.bytes) == [Self.withoutFlowLabel(advert)])
      #expect(sent.first?.priority == head.priority)
    }
  }

  @Test(arguments: Capture.names) func understands(name: String) throws {
    let frames = try Capture(name).frames
    var writer = AdvertWriter()
    var count = 0
    for advert in frames.compactMap(\.advert) where !Self.isJunk(advert) {
      let source = Self.source(of: advert)
      let local: IPAddress =
        source.family == .ipv6
        ? IPAddress("fe80::1")! : IPAddress(source == IPAddress("10.99.0.11") ? "10.99.0.12" : "10.99.0.11")!
      let checks = ReceiveChecks(Self.definition(of: name, source: local))
      let result = try Self.datagram(advert) { try checks.check(#require($0), skipsAddresses: false, &writer).get() }
      #expect(result.source == source)
      #expect(result.mismatch == nil)
      #expect(result.interval == (name == "v3_ipv4_100ms" ? 100_000 : 1_000_000))
      count += 1
    }
    #expect(count >= 3)
  }

  /// The junk of the capture in which it silences keepalived: too many addresses. An alarm, and a low priority.
  @Test func junkIsNoticed() throws {
    let junk = try Capture("v2_junk_silences_master").frames.compactMap(\.advert).filter(Self.isJunk)
    #expect(junk.count == 15)
    let checks = ReceiveChecks(Self.definition(of: "v2_junk", source: IPAddress("10.99.0.11")!))
    var writer = AdvertWriter()
    for advert in junk {
      let result = try Self.datagram(advert) { try checks.check(#require($0), skipsAddresses: false, &writer).get() }
      #expect(result.priority == 10)
      #expect(result.mismatch == .count(received: 2, own: 1))
    }
  }

  static func datagram<Value>(_ bytes: [UInt8], _ body: (Datagram?) throws -> Value) rethrows -> Value {
    try bytes.withUnsafeBytes { try body(bytes[0] >> 4 == 4 ? Datagram(ipv4: $0) : Datagram(ipv6: $0)) }
  }
}
