import Testing
import Wire

@testable import Config

@Suite struct ConfigurationReaderTests {
  static let groupFaults: [(String, String)] = [
    ("local_address_group g {\n}", "1:1 error this group has no addresses"),
    ("local_address_group {\n10.0.0.1\n}", "1:1 error 'local_address_group' needs a name"),
    ("local_address_group g { 10.0.0.1 }\nlocal_address_group g { 10.0.0.2 }", "2:21 error there is a local_address"),
    ("local_address_group g {\n10.0.0.0-10.255.0.0\n}", "1:1 error this group has no addresses"),
    (fullNAT(""), "1:1 error FNAT needs local addresses"),
    (fullNAT("laddr_group_name x"), "1:1 error there is no local_address_group 'x'"),
    (fullNAT("laddr_group_name g") + "local_address_group g { fd00::1 }", "1:1 error local_address_group 'g' has no"),
    (
      "virtual_server 10.0.0.1 80 {\nprotocol TCP\nladdr_group_name g\nreal_server 10.1.0.1 {\n}\n}\n"
        + "local_address_group g { 10.2.0.1 }", "1:1 warning 'laddr_group_name' has no effect"
    ),
  ]

  private static func fullNAT(_ line: String) -> String {
    "virtual_server 10.0.0.1 80 {\nprotocol TCP\nlb_kind FNAT\n\(line)\nreal_server 10.1.0.1 {\n}\n}\n"
  }

  @Test(arguments: groupFaults)
  func localAddressesAreChecked(text: String, expected: String) {
    let found = read(text).diagnostics.filter { $0.severity != .note }.map {
      "\($0.line):\($0.column) \($0.severity.name) \($0.message)"
    }
    #expect(found.contains { $0.hasPrefix(expected) }, "\(found)")
  }

  @Test func positionsDoNotCountWhenReadingsAreCompared() {
    let text = Self.fullNAT("laddr_group_name g") + "local_address_group g { 10.2.0.1 }\n"
    let (before, after) = (read(text).configuration, read("# a\n\n" + text).configuration)
    #expect(before != after)
    #expect(before.withoutPositions == after.withoutPositions)
  }

  /// Work, not time: what is read is as much as what is written, each word once, however many services there are.
  @Test(arguments: [10, 1000]) func manyServicesAreReadOnce(count: Int) {
    var text = ""
    for service in 0..<count {
      text += "virtual_server 10.0.\(service / 256).\(service % 256) 80 {\n protocol TCP\n lb_algo wrr\n lb_kind NAT\n"
      for server in 1...10 { text += " real_server 172.16.0.\(server) 80 {\n  weight \(server)\n }\n" }
      text += "}\n"
    }
    let source = ConfigurationText(bytes: Array(text.utf8), identity: "t")
    var lines = LineReader(ReadingOptions(), NoFiles())
    lines.read(source, file: "t")
    #expect(lines.lexer.lines.count == count * (6 + 10 * 4))
    let reading = readConfiguration(source, file: "t", ReadingOptions(), NoFiles())
    #expect(reading.diagnostics.isEmpty)
    #expect(reading.configuration.services.count == count)
    #expect(reading.configuration.services.allSatisfy { $0.realServers.map(\.weight) == Array(1...10) })
  }

  @Test func emptyFile() {
    #expect(read("").configuration == Configuration())
    #expect(read("").diagnostics.isEmpty)
  }

  @Test func invalidTextIsHarmless() {
    let (_, diagnostics) = parseConfiguration(bytes: [0xff, 0xfe, 0, 0x7b, 0x22, 0xc2], file: "t")
    #expect(!diagnostics.isEmpty)
  }
}
