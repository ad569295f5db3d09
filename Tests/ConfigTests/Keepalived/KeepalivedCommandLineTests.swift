import Testing

@testable import Config

struct KeepalivedCommandLineTests {
  private func parse(_ line: String) -> KeepalivedCommandLine {
    KeepalivedCommandLine(line.split(separator: " ").map(String.init))
  }

  @Test func defaults() {
    let line = parse("")
    #expect(line.task == .run && line.isValid && line.complaints.isEmpty)
    #expect(line.path == "/etc/keepalived/keepalived.conf")
    #expect(line.parts == [.vrrp, .services] && !line.isForeground)
    #expect(line.log.usesSyslog && !line.log.usesConsole && line.log.facility == 3 && line.log.file == nil)
    #expect(line.pidFiles == KeepalivedCommandLine.PidFiles() && line.umask == nil && line.configID == nil)
  }

  @Test func everyOptionInOneLine() {
    let line = parse(
      "-f c -t -n -l -D -S user -G -C -d -p a -r b -c d -b e -V -I -X -R -s ns -e -i id -a -u 077 -m -M -x -A y --all"
        + " -g log -B --perf=all --debug=Dv --flush-log-file --no-mem-check")
    #expect(line.isValid && line.complaints.isEmpty)
    #expect(line.task == .test(logFile: nil) && line.path == "c" && line.configID == "id" && line.needsAllFiles)
    #expect(line.isForeground && line.parts == .services && line.dumpsConfiguration && line.makesCore)
    #expect(line.log.usesConsole && line.log.isDetailed && !line.log.usesSyslog && line.log.facility == 1)
    #expect(line.log.file == "log" && line.namespace == "ns" && line.umask == 0o77)
    let named = line.pidFiles
    #expect(named.parent == "a" && named.vrrp == "b" && named.checkers == "d")
    #expect(
      line.withoutEffect.map(\.option) == [
        "-b", "-V", "-I", "-X", "-R", "-a", "-M", "-x", "-A", "--all", "-B", "--perf", "--debug", "--flush-log-file",
        "--no-mem-check",
      ])
    #expect(line.withoutEffect.allSatisfy { !$0.reason.isEmpty })
  }

  struct Row: CustomTestStringConvertible {
    let line: String
    var task = KeepalivedCommandLine.Task.run
    var complaints: [String] = []
    var isValid = true
    var testDescription: String { line }
  }

  @Test(arguments: [
    Row(line: "-v", task: .version),
    Row(line: "-Z -v", task: .version, complaints: ["Unknown option -Z"], isValid: false),
    Row(line: "-v -Z", task: .version),
    Row(line: "-h --nope", task: .help),
    Row(line: "-tfile", task: .test(logFile: "file")),
    Row(line: "-t --signum=STOP", task: .signalNumber("STOP")),
    Row(line: "--signum JSON --signum=STOP", task: .signalNumber("JSON")),
    Row(line: "-T -s 10.0.0.1 -p 80 -u /", task: .genhash),
    Row(line: "--nope -f", complaints: ["Unknown option --nope", "Missing parameter for option -f"], isValid: false),
    Row(line: "-S 9", complaints: ["Invalid log facility '9'"]),
    Row(line: "-S local8", complaints: ["Invalid log facility 'local8'"]),
    Row(line: "-S USER", complaints: ["Invalid log facility 'USER'"]),
    Row(line: "-u 999", complaints: ["Invalid --umask option 999"]),
    Row(line: "-u 088", complaints: ["Invalid --umask option 088"]),
    Row(line: "-u -1", complaints: ["Invalid --umask option -1"]),
  ])
  func task(_ row: Row) {
    let line = parse(row.line)
    #expect(line.task == row.task)
    #expect(line.complaints == row.complaints)
    #expect(line.isValid == row.isValid)
  }

  /// What stands behind it are genhash's own options, of which some are keepalived's, too.
  @Test func genhashHasOptionsOfItsOwn() {
    #expect(parse("-l -T -s 10.0.0.1 -v -P 1.1").behindGenhash == ["-s", "10.0.0.1", "-v", "-P", "1.1"])
    #expect(parse("--genhash -h").behindGenhash == ["-h"] && parse("-v -T -h").behindGenhash.isEmpty)
  }

  @Test(arguments: [("daemon", 3), ("user", 1), ("0", 16), ("7", 23), ("local0", 16), ("local7", 23)])
  func facilities(_ row: (text: String, number: Int32)) {
    #expect(parse("-S \(row.text)").log.facility == row.number)
  }

  @Test(
    arguments: [("022", 0o22), ("22", 22), ("0x1f", 0x1f), ("0", 0), ("0777", 0o777), ("511", 511)]
      as [(String, UInt32)])
  func masks(_ row: (text: String, mask: UInt32)) {
    #expect(parse("-u \(row.text)").umask == row.mask)
  }

  @Test(
    arguments: [("-P", [.vrrp]), ("-C", [.services]), ("-P -C", []), ("-B", [.vrrp, .services])]
      as [(String, KeepalivedCommandLine.Parts)])
  func parts(_ row: (line: String, parts: KeepalivedCommandLine.Parts)) {
    #expect(parse(row.line).parts == row.parts)
  }

  @Test func words() {
    #expect(parse("extra -n more").leftOver == ["extra", "more"])
  }
}
