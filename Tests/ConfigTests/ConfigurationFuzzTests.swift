import Glibc
import Testing
import Wire

@testable import Config

/// Bent configurations: whatever the bytes, reading them ends, stays within its bounds, and every finding has a place.
///
/// `LBD_FUZZ_CONFIGURATIONS` sets how many, `LBD_FUZZ_SEED` which, `LBD_FUZZ_SECONDS` how long that is repeated with the
/// seeds that follow (0: once); seeds are printed.
@Suite struct ConfigurationFuzzTests {
  /// What a hostile file has, beside bent pieces of sound ones.
  private static let directives = [
    "$A=${A}x", "$A=$B", "$B=${A}${A}${C}", "$C=\"{ } # !", "$M= \\", "x \\", "$M",
    "$A ${B}${_RANDOM 1 9}${_PWD}${_HASH}", "${",
    "~SEQ(i,1,4000000000) $M", "~SEQ(i,-1,9,200) real_server 10.0.${i}.1 80 {", "~SEQx(i,0x7fffffff,0xffffffff) a$i",
    "~SEQ(j,3) ~SEQ(i,3) ~LST({a,b},{1,2},{3}) x$i$j$a", "~LST(v,a,,b) include $v", "~SEQ(", "~LST({,},{,})",
    "@fuzz @^no x",
    "@", "@^", "include b", "include a", "include {a,b}{a,b}*", "includea {b", "include_check +match -readable",
    "include *",
    "random_seed 7", "}", "{", "} } }", "\"", "virtual_server 10.0.0.1 80 {", "real_server 10.1.0.1 80 {",
    "lb_kind TUN type gue",
    "virtual_server_group g { 10.0.0.0/8 80", "10.0.0.1-255 80", "fwmark 7", "vrrp_instance V {", "virtual_ipaddress {",
    "local_address_group g { 10.2.0.0/16 }", "lbd { sysctl net.ipv4.vs.sync_threshold = 3 50",
    "mark_rules { from 10.0.0.0/8 mark 1",
    "iptables -t mangle -A PREROUTING ! -s 1 -j MARK --set-mark 1", "persistence_timeout 99999999999999999999",
    "weight -1",
    "\u{feff}", "\u{a0}x\u{3000}", "\\#\\!", "notify \"a 'b \\x41\\777", "url { path", "HTTP_GET {", "global_defs {",
    "\r", "\0",
  ]

  private static let limits = ReadingLimits(
    byteCount: 1 << 20, expandedByteCount: 1 << 16, lineCount: 20_000, fileCount: 64, fileDepth: 8)

  /// One bent configuration, with a file `b` that it may include.
  private func configuration(_ samples: [[UInt8]], _ random: inout RandomSource) -> (main: [UInt8], other: [UInt8]) {
    (bent(samples, &random), bent(samples, &random))
  }

  private func bent(_ samples: [[UInt8]], _ random: inout RandomSource) -> [UInt8] {
    var lines = samples.randomElement(using: &random)!.split(separator: 10, omittingEmptySubsequences: false).map(
      Array.init)
    // Half of all keep a whole sample, half a few lines of it, in which what is spliced in matters more.
    if Bool.random(using: &random) { lines = Array(lines.prefix(Int.random(in: 0...12, using: &random))) }
    for _ in 0...Int.random(in: 0..<12, using: &random) {
      let index = Int.random(in: 0...lines.count, using: &random)
      let directive = Array(ConfigurationFuzzTests.directives.randomElement(using: &random)!.utf8)
      switch Int.random(in: 0..<8, using: &random) {
      case 0..<4: lines.insert(directive, at: index)
      case 4:
        lines.insert(
          contentsOf: Array(samples.randomElement(using: &random)!.split(separator: 10).prefix(9).map(Array.init)),
          at: index)
      case 5 where index < lines.count: lines.remove(at: index)
      case 6 where index < lines.count:
        let place = Int.random(in: 0...lines[index].count, using: &random)
        lines[index].insert(
          contentsOf: Bool.random(using: &random) ? directive : [UInt8.random(in: 0...255, using: &random)], at: place)
      case 7 where index < lines.count && !lines[index].isEmpty:
        lines[index][Int.random(in: 0..<lines[index].count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      default: break
      }
    }
    return Array(lines.joined(separator: [10]))
  }

  private func play(_ seed: UInt64, count: Int, samples: [[UInt8]]) {
    var random = RandomSource(state: seed)
    for round in 0..<count {
      let (main, other) = configuration(samples, &random)
      let files = FuzzedFiles(main: main, other: other)
      let options = ReadingOptions(configID: "fuzz", folder: "/f", identity: "/f/a", randomSeed: seed)
      let text = ConfigurationText(bytes: main, identity: "/f/a")
      let reading = readConfiguration(text, file: "/f/a", options, files, limits: ConfigurationFuzzTests.limits)
      let lines = ["/f/a": main, "/f/b": other].mapValues {
        $0.split(separator: 10, omittingEmptySubsequences: false).count
      }
      for finding in reading.diagnostics {
        #expect((1...(lines[finding.file] ?? 0)).contains(finding.line), "seed \(seed) round \(round): \(finding)")
      }
      #expect(reading.diagnostics.count <= DiagnosticList.capacity + 1, "seed \(seed) round \(round)")
      // Once more, the same must come out; and what is explained must be text.
      let again = readConfiguration(text, file: "/f/a", options, files, limits: ConfigurationFuzzTests.limits)
      #expect(again.configuration == reading.configuration, "seed \(seed) round \(round)")
      #expect(again.diagnostics == reading.diagnostics, "seed \(seed) round \(round)")
      if round % 16 == 0 { #expect(reading.explanation.text.isEmpty == false, "seed \(seed) round \(round)") }
    }
  }

  @Test func survivesBentConfigurations() throws {
    let samples = try Sample.names.map(Sample.bytes)
    let count = setting("LBD_FUZZ_CONFIGURATIONS") ?? 200
    var seed = UInt64(setting("LBD_FUZZ_SEED") ?? 1)
    let end = time(nil) + (setting("LBD_FUZZ_SECONDS") ?? 0)
    repeat {
      print("configuration fuzz: seed \(seed), \(count) configurations")
      play(seed, count: count, samples: samples)
      seed += 1
    } while time(nil) < end
  }

  private func setting(_ name: String) -> Int? { getenv(name).flatMap { Int(String(cString: $0)) } }
}

/// Two files, `a` and `b`, that may include each other.
private struct FuzzedFiles: ConfigurationFiles {
  let main: [UInt8]
  let other: [UInt8]

  func names(matching pattern: String) -> [String] {
    ["/f/a", "/f/b"].filter { $0 == pattern || pattern.hasSuffix("*") && $0.hasPrefix(pattern.dropLast()) }
  }

  func text(of name: String, atMost byteCount: Int) throws(ConfigurationFileFailure) -> ConfigurationText {
    ConfigurationText(bytes: name == "/f/a" ? main : other, identity: name)
  }
}
