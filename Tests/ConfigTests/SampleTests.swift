import Testing
import Wire

@testable import Config

/// What a sample must yield.
struct SampleRow: CustomTestStringConvertible {
  let name: String
  let services: [String]
  let warnings: [String]

  var testDescription: String { name }
}

/// What is odd about a sample, and where: what `lbd check` must say of it.
private let oddities: [(name: String, findings: [(line: Int, what: String)])] = [
  (
    "000-annotated.keepalived.conf",
    [13, 15, 17, 32, 53, 67, 70, 75].map {
      ($0, "warning: unknown keyword '|, the line is ignored (it looks like a wrapped comment")
    }
      + [46: "mcast_src_ip", 48: "garp_master_delay", 54: "preempt_delay", 55: "debug", 76: "preempt_delay"].map {
        ($0, "error: '\($1)' has no value, the line is left out")
      } + [
        (47, "warning: unknown keyword 'primary', the line is ignored"),
        (
          69,
          "warning: unknown keyword 'lvs_sync_daemon_inteface', the line is ignored (did you mean 'lvs_sync_daemon_interface'?)"
        ),
        (92, "note: 'nat_mask' is ignored: removed from keepalived long ago"),
        (99, "warning: '<NETMASK>' is not a persistence mask, it is ignored"),
        (111, "warning: 'nb_get_retry' is not known in TCP_CHECK: it is read as 'retry 3'"),
        (
          134,
          "warning: 1 '}' missing before 'virtual_server' for 'virtual_server' opened in line 89 (read as if it were there"
        ),
        (134, "warning: 1 '}' missing at the end of the file for 'virtual_server' (read as if the file had them"),
      ]
  ),
  (
    "000-dr-master.keepalived.conf",
    [18, 19, 21, 22].map { ($0, "is not known in the top level, the line is ignored (it belongs in global_defs)") }
      + [(23, "warning: extra '}' at the top level, it is passed over")]
  ),
  (
    "001-docker-dr.keepalived.conf",
    [(74, "warning: virtual_server TCP 172.20.1.100:80 is already in line 43; the two are merged")]
  ),
  (
    "002-virtual_ipaddress.snippet.conf",
    [
      (1, "warning: 'virtual_ipaddress' is not known in the top level, its block is skipped"),
      (3, "no-break or ideographic space in 2 lines, here first: read as a blank"),
    ]
  ),
  (
    "002-virtual_server-unbalanced-brace.conf",
    [
      (1, "warning: no 'protocol': the service is UDP, though port 80 is surely meant for TCP"),
      (2, "no-break or ideographic space in 26 lines, here first: read as a blank"),
      (25, "warning: 'nb_get_retry' is not known in real_server, the line is ignored"),
      (30, "warning: extra '}' at the top level, it is passed over"),
    ]
  ),
  (
    "003-lvs-dr.keepalived.conf",
    [56, 65].map { ($0, "warning: 'nb_get_retry' is not known in TCP_CHECK: it is read as 'retry 3'") }
  ),
  (
    "004-dr-three-servers.keepalived.conf",
    [33, 44, 55].map { ($0, "warning: 'nb_get_retry' is not known in TCP_CHECK: it is read as 'retry 3'") }
      + [(26, "note: 'nat_mask' is ignored")]
  ),
]

private let rows: [SampleRow] = [
  SampleRow(
    name: "000-annotated.keepalived.conf",
    services: [
      "TCP 192.168.200.100:443 rr NAT | persistent 50 | 192.168.201.100:443 w1",
      """
      TCP 10.10.10.2:1358 rr NAT | persistent 50 | sorry 192.168.200.200:1358 | 192.168.200.2:1358 w1 \
      | 192.168.200.3:1358 w1
      """,
    ],
    warnings: ["wrapped comment", "'nb_get_retry' is not known in TCP_CHECK", "missing", "lvs_sync_daemon_interface"]),
  SampleRow(
    name: "000-dr-master.keepalived.conf",
    services: [
      "TCP 192.168.200.88:80 rr DR | persistent 50 | 192.168.200.102:80 w1 | 192.168.200.103:80 w1"
    ],
    warnings: ["'router_id' is not known in the top level", "extra '}'"]),
  SampleRow(
    name: "001-docker-dr.keepalived.conf",
    services: ["TCP 172.20.1.100:80 rr DR | 172.20.1.10:80 w1 | 172.20.1.11:80 w1"],
    warnings: ["the two are merged"]),
  SampleRow(
    name: "002-virtual_ipaddress.snippet.conf", services: [], warnings: ["belongs in vrrp_instance"]),
  SampleRow(
    name: "002-virtual_server-unbalanced-brace.conf",
    services: ["UDP 192.168.88.60:80 wlc NAT | 192.168.88.62:80 w1 | 192.168.88.63:80 w1"],
    warnings: ["surely meant for TCP", "extra '}'", "'nb_get_retry' is not known in real_server"]),
  SampleRow(
    name: "003-lvs-dr.keepalived.conf",
    services: [
      "TCP 192.168.31.100:80 wlc DR | persistent 60 | 192.168.31.21:80 w100 | 192.168.31.22:80 w100"
    ],
    warnings: ["'nb_get_retry' is not known in TCP_CHECK"]),
  SampleRow(name: "003-nginx-ha-backup.keepalived.conf", services: [], warnings: ["more than 8 bytes"]),
  SampleRow(name: "003-nginx-ha-master.keepalived.conf", services: [], warnings: []),
  SampleRow(
    name: "004-dr-three-servers.keepalived.conf",
    services: ["TCP 192.168.1.200:80 wrr DR | 192.168.1.53:80 w1 | 192.168.1.54:80 w1 | 192.168.1.55:80 w1"],
    warnings: []),
]

@Suite struct SampleTests {
  @Test func everySampleHasARow() {
    #expect(Sample.names == rows.map(\.name))
  }

  /// keepalived starts with all of these, so no finding may refuse them.
  @Test(arguments: rows)
  func yieldsItsServices(row: SampleRow) throws {
    let (configuration, diagnostics) = parseConfiguration(bytes: try Sample.bytes(row.name), file: row.name)
    #expect(configuration.services.map(summary) == row.services)
    #expect(diagnostics.filter { $0.severity == .error } == [])
    let warnings = diagnostics.filter { $0.severity == .warning }.map(\.description)
    for expected in row.warnings {
      #expect(warnings.contains { $0.contains(expected) }, "no warning with \(expected) in \(warnings)")
    }
    if row.warnings.isEmpty, row.name.contains("nginx") { #expect(warnings == []) }
  }

  /// Each with its line and with what was done about it. `|` stands for any text.
  @Test func everyOddityIsNamed() throws {
    for (name, findings) in oddities {
      let (_, diagnostics) = parseConfiguration(bytes: try Sample.bytes(name), file: name)
      for (line, what) in findings {
        let parts = what.split(separator: "|").map(String.init)
        let found = diagnostics.contains { finding in
          finding.line == line && parts.allSatisfy { finding.description.contains($0) }
        }
        #expect(found, "\(name):\(line): \(what) is not in \(diagnostics.filter { $0.line == line })")
      }
    }
  }

  @Test func engineOfALaterVersionIsANote() throws {
    let name = "003-nginx-ha-master.keepalived.conf"
    let (_, diagnostics) = parseConfiguration(bytes: try Sample.bytes(name), file: name)
    let notes = diagnostics.map(\.description)
    #expect(
      notes.contains(
        "\(name):18:1: note: 'vrrp_instance' is accepted and has no effect in lbd, because it does not run VRRP yet"),
      "\(notes)")
  }

  /// Whatever becomes of a file, reading it ends, and every finding lies within it.
  @Test(arguments: 0..<40)
  func survivesMutation(seed: Int) throws {
    var random = RandomSource(state: UInt64(seed))
    for name in Sample.names {
      let original = try Sample.bytes(name)
      for _ in 0..<6 {
        let bytes = mutate(original, with: &random)
        let (_, diagnostics) = parseConfiguration(bytes: bytes, file: name)
        let lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
        for finding in diagnostics {
          let isWithin =
            (1...max(lines.count, 1)).contains(finding.line)
            && (1...lines[finding.line - 1].count + 1).contains(finding.column)
          #expect(isWithin, "seed \(seed), \(finding)")
        }
      }
    }
  }

  private func mutate(_ original: [UInt8], with random: inout RandomSource) -> [UInt8] {
    let pieces = [
      "{", "}", "\"", "#", "!", "\n", "\\", "\u{a0}", "\u{3000}", "\u{feff}", "\0", "virtual_server", "-", "/", "\r",
    ]
    var bytes = original
    for _ in 0...Int.random(in: 0..<8, using: &random) {
      let start = Int.random(in: 0...bytes.count, using: &random)
      let end = min(bytes.count, start + Int.random(in: 0..<40, using: &random))
      switch Int.random(in: 0..<5, using: &random) {
      case 0: bytes.removeSubrange(start..<end)
      case 1: bytes.insert(contentsOf: bytes[start..<end], at: 0)
      case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: start)
      case 3:
        bytes.replaceSubrange(start..<end, with: Array(pieces[Int.random(in: 0..<pieces.count, using: &random)].utf8))
      default: bytes.insert(contentsOf: Array(pieces[Int.random(in: 0..<pieces.count, using: &random)].utf8), at: start)
      }
    }
    return bytes
  }
}

/// SplitMix64: the same sequence for the same seed.
struct RandomSource: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}
