import Testing

@testable import Config

struct KeepalivedOptionTests {
  /// keepalived 2.2.7's options, as its help lists them: what is here must be there, letter for letter.
  private static let listed = """
    f use-file = | P vrrp | C check | B no_bfd | - all | l log-console | D log-detail | S log-facility = | G no-syslog
    u umask = | X release-vips | V dont-release-vrrp | I dont-release-ipvs | R dont-respawn | n dont-fork | d dump-conf
    p pid = | r vrrp_pid = | T genhash | c checkers_pid = | a address-monitoring | b bfd_pid = | x snmp
    A snmp-agent-socket = | s namespace = | m core-dump | M core-dump-pattern ? | e all-config | i config-id =
    - signum = | t config-test ? | v version | h help | g log-file = | - flush-log-file | - perf ? | - debug ?
    - no-mem-check
    """

  @Test func allOptionsAreThere() {
    let wanted = KeepalivedOptionTests.listed.split { $0 == "|" || $0 == "\n" }.map {
      $0.split(separator: " ").joined(separator: " ")
    }
    let known = KeepalivedOption.allCases.map { option in
      let mark = [.none: "", .required: " =", .optional: " ?"][option.syntax.argument] ?? ""
      return "\(option.syntax.short.map(String.init) ?? "-") \(option.syntax.long)\(mark)"
    }
    #expect(known.sorted() == wanted.sorted())
  }

  struct Row: CustomTestStringConvertible {
    let words: [String]
    let found: [KeepalivedScanner.Found]
    var leftOver: [String] = []
    var testDescription: String { words.joined(separator: " ") }
  }

  @Test(arguments: [
    Row(words: [], found: []),
    Row(
      words: ["-nlDf", "x"],
      found: [
        .option(.foreground, nil, word: "-n"), .option(.logConsole, nil, word: "-l"),
        .option(.logDetail, nil, word: "-D"), .option(.useFile, "x", word: "-f"),
      ]),
    Row(words: ["-fx"], found: [.option(.useFile, "x", word: "-f")]),
    Row(words: ["-f", "-n"], found: [.option(.useFile, "-n", word: "-f")]),
    Row(words: ["-f", ""], found: [.option(.useFile, "", word: "-f")]),
    Row(words: ["-t", "x"], found: [.option(.configTest, nil, word: "-t")], leftOver: ["x"]),
    Row(words: ["-tx"], found: [.option(.configTest, "x", word: "-t")]),
    Row(words: ["--config-test", "x"], found: [.option(.configTest, nil, word: "--config-test")], leftOver: ["x"]),
    Row(words: ["--config-test=x"], found: [.option(.configTest, "x", word: "--config-test")]),
    Row(words: ["--config-t"], found: [.option(.configTest, nil, word: "--config-t")]),
    Row(words: ["--use-file=a=b"], found: [.option(.useFile, "a=b", word: "--use-file")]),
    Row(words: ["--use-file", "x"], found: [.option(.useFile, "x", word: "--use-file")]),
    Row(words: ["--use-file="], found: [.incomplete("--use-file")]),
    Row(words: ["--use-file"], found: [.incomplete("--use-file")]),
    Row(words: ["-nf"], found: [.option(.foreground, nil, word: "-n"), .incomplete("-f")]),
    Row(words: ["--check"], found: [.option(.check, nil, word: "--check")]),
    Row(words: ["--che"], found: [.unknown("--che")]),
    Row(words: ["--v"], found: [.unknown("--v")]),
    Row(words: ["--vers"], found: [.option(.version, nil, word: "--vers")]),
    Row(words: ["--p=x"], found: [.option(.pid, "x", word: "--p")]),
    Row(words: ["--log-f"], found: [.unknown("--log-f")]),
    Row(words: ["--vrrp=1"], found: [.unknown("--vrrp=1")]),
    Row(
      words: ["-nZl"],
      found: [
        .option(.foreground, nil, word: "-n"), .unknown("-Z"), .option(.logConsole, nil, word: "-l"),
      ]),
    Row(words: ["a", "-n", "b"], found: [.option(.foreground, nil, word: "-n")], leftOver: ["a", "b"]),
    Row(words: ["-n", "--", "-l"], found: [.option(.foreground, nil, word: "-n")], leftOver: ["-l"]),
    Row(words: ["-", ""], found: [], leftOver: ["-", ""]),
  ])
  func scan(_ row: Row) {
    var scanner = KeepalivedScanner(row.words)
    var found: [KeepalivedScanner.Found] = []
    while let next = scanner.next() { found.append(next) }
    #expect(found == row.found)
    #expect(scanner.leftOver == row.leftOver)
  }
}
