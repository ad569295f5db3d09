import Config
import Dataplane
import Testing
import Wire

@testable import Control

/// What a reload does: as few steps as there are differences, and none of what is not the file's.
struct ReloadPlanTests {
  static let text = """
    global_defs { lvs_timeouts tcp 800 tcpfin 60 udp 200 }
    local_address_group near {
      10.2.0.21
      10.2.0.22
    }
    virtual_server 10.1.0.100 80 {
      protocol TCP
      lb_algo rr
      lb_kind NAT
      drain_timeout 30
      real_server 10.2.0.11 80 { weight 1 }
      real_server 10.2.0.12 80 {
        weight 2
        drain_timeout 5
      }
    }
    virtual_server 10.1.0.101 80 {
      protocol TCP
      lb_algo wlc
      lb_kind FNAT
      laddr_group_name near
      real_server 10.2.0.11 80 { weight 1 }
    }
    """

  static func configuration(_ text: String) throws -> Configuration {
    let (configuration, diagnostics) = parseConfiguration(bytes: Array(text.utf8), file: "test.conf")
    try #require(diagnostics.filter { $0.severity >= .fault }.isEmpty, "\(diagnostics)")
    return configuration
  }

  /// Another text, commands in between, and what a reload does then.
  struct Row: Sendable, CustomTestStringConvertible {
    let testDescription: String
    var commands: [String] = []
    var replace = ""
    var with = ""
    var isWhole = false
    var lines: [String] = []
    var unspoken = 0
  }

  static let rows = [
    Row(testDescription: "nothing"),
    Row(testDescription: "a comment", replace: "global_defs", with: "# moved\nglobal_defs"),
    Row(
      testDescription: "another weight", replace: "weight 2", with: "weight 3",
      lines: ["-e -t 10.1.0.100:80 -r 10.2.0.12:80 -m -w 3"]),
    Row(
      testDescription: "thresholds", replace: "weight 2", with: "weight 2\n uthreshold 9\n lthreshold 3",
      lines: ["-e -t 10.1.0.100:80 -r 10.2.0.12:80 -m -w 2 -x 9 -y 3"]),
    Row(
      testDescription: "another scheduler", replace: "lb_algo rr",
      with: "lb_algo sh\n  sh-port\n  persistence_timeout 9",
      lines: ["-E -t 10.1.0.100:80 -s sh -p 9 -b sh-port"]),
    Row(
      testDescription: "another method", replace: "lb_kind NAT", with: "lb_kind TUN",
      lines: [
        "-e -t 10.1.0.100:80 -r 10.2.0.11:80 -i -w 1 --tun-type ipip",
        "-e -t 10.1.0.100:80 -r 10.2.0.12:80 -i -w 2 --tun-type ipip",
      ]),
    Row(testDescription: "timeouts", replace: "tcpfin 60", with: "tcpfin 61", lines: ["--set 0 61 0"]),
    Row(
      testDescription: "another server", replace: "10.2.0.12 80", with: "10.2.0.13 80",
      lines: ["-d -t 10.1.0.100:80 -r 10.2.0.12:80", "-a -t 10.1.0.100:80 -r 10.2.0.13:80 -m -w 2"], unspoken: 1),
    Row(
      testDescription: "another service", replace: "10.1.0.101 80", with: "10.1.0.102 80",
      lines: [
        "-D -t 10.1.0.101:80", "-A -t 10.1.0.102:80 -s wlc", "--add-laddr -t 10.1.0.102:80 -z 10.2.0.21",
        "--add-laddr -t 10.1.0.102:80 -z 10.2.0.22", "-a -t 10.1.0.102:80 -r 10.2.0.11:80 -b -w 1",
      ]),
    Row(
      testDescription: "another local address", replace: "10.2.0.22", with: "10.2.0.23",
      lines: ["--del-laddr -t 10.1.0.101:80 -z 10.2.0.22", "--add-laddr -t 10.1.0.101:80 -z 10.2.0.23"]),
    Row(testDescription: "a drain timeout", replace: "drain_timeout 5", with: "drain_timeout 6", unspoken: 1),
    Row(testDescription: "a conveyance", replace: "laddr_group_name", with: "toa\n laddr_group_name", unspoken: 1),
    // What ipvsadm has done stays, unless the file changes the same thing.
    Row(testDescription: "a quiesced server", commands: ["-e -t 10.1.0.100:80 -r 10.2.0.12:80 -m -w 0"]),
    Row(
      testDescription: "a quiesced server, the other one edited",
      commands: ["-e -t 10.1.0.100:80 -r 10.2.0.12:80 -m -w 0"], replace: "{ weight 1 }\n  real_server 10.2.0.12",
      with: "{ weight 4 }\n  real_server 10.2.0.12", lines: ["-e -t 10.1.0.100:80 -r 10.2.0.11:80 -m -w 4"]),
    Row(
      testDescription: "a quiesced server, edited", commands: ["-e -t 10.1.0.100:80 -r 10.2.0.12:80 -m -w 0"],
      replace: "weight 2", with: "weight 3", lines: ["-e -t 10.1.0.100:80 -r 10.2.0.12:80 -m -w 3"]),
    Row(testDescription: "a removed server", commands: ["-d -t 10.1.0.100:80 -r 10.2.0.12:80"]),
    Row(
      testDescription: "a removed server, edited", commands: ["-d -t 10.1.0.100:80 -r 10.2.0.12:80"],
      replace: "weight 2", with: "weight 3", lines: ["-a -t 10.1.0.100:80 -r 10.2.0.12:80 -m -w 3"], unspoken: 1),
    Row(
      testDescription: "a removed server, left out", commands: ["-d -t 10.1.0.100:80 -r 10.2.0.12:80"],
      replace: "10.2.0.12 80", with: "10.2.0.13 80", lines: ["-a -t 10.1.0.100:80 -r 10.2.0.13:80 -m -w 2"], unspoken: 1
    ),
    Row(
      testDescription: "a server beside the file's, which comes to know it",
      commands: ["-a -t 10.1.0.100:80 -r 10.2.0.13:80 -m -w 7"], replace: "10.2.0.12 80", with: "10.2.0.13 80",
      lines: ["-d -t 10.1.0.100:80 -r 10.2.0.12:80", "-e -t 10.1.0.100:80 -r 10.2.0.13:80 -m -w 2"], unspoken: 1),
    Row(
      testDescription: "services beside the file's", commands: ["-A -t 10.1.0.105:80", "-D -t 10.1.0.101:80"]),
    Row(
      testDescription: "timeouts by command", commands: ["--set 7 8 9"], replace: "udp 200", with: "udp 201",
      lines: ["--set 0 0 201"]),
    Row(
      testDescription: "all gone", commands: ["-C"], replace: "weight 2", with: "weight 3",
      lines: [
        "-A -t 10.1.0.100:80 -s rr", "-a -t 10.1.0.100:80 -r 10.2.0.11:80 -m -w 1",
        "-a -t 10.1.0.100:80 -r 10.2.0.12:80 -m -w 3",
      ], unspoken: 2),
    // A reload of the whole.
    Row(
      testDescription: "the whole",
      commands: [
        "-A -t 10.1.0.105:80", "-e -t 10.1.0.100:80 -r 10.2.0.12:80 -m -w 0", "--set 7 0 0",
        "-d -t 10.1.0.101:80 -r 10.2.0.11:80", "-a -t 10.1.0.100:80 -r 10.2.0.13:80 -m",
      ],
      isWhole: true,
      lines: [
        "-D -t 10.1.0.105:80", "-d -t 10.1.0.100:80 -r 10.2.0.13:80", "-e -t 10.1.0.100:80 -r 10.2.0.12:80 -m -w 2",
        "-a -t 10.1.0.101:80 -r 10.2.0.11:80 -b -w 1", "--set 800 0 0",
      ]),
  ]

  private static func edited(_ row: Row) throws -> Configuration {
    let text =
      row.replace.isEmpty ? ReloadPlanTests.text : ReloadPlanTests.text.replacingOnce(row.replace, with: row.with)
    return try configuration(text)
  }

  /// A running lbd: the file, then the row's commands.
  private static func running(_ row: Row) throws -> Administration {
    var administration = try Reload(try configuration(text), former: Configuration(), over: Administration())
      .administration
    for command in row.commands {
      try administration.change(
        try IpvsadmCommand.parse(command.split(separator: " ").map(String.init)).get(), topology: Samples.network)
    }
    _ = administration.services.takeChanges()
    return administration
  }

  @Test(arguments: rows) func aReloadDoesThis(row: Row) throws {
    let running = try ReloadPlanTests.running(row)
    let reload = try Reload(
      try ReloadPlanTests.edited(row), former: try ReloadPlanTests.configuration(ReloadPlanTests.text), over: running,
      isWhole: row.isWhole)
    #expect(reload.plan.lines == row.lines)
    #expect(reload.plan.unspoken.count == row.unspoken)
  }

  /// `lbd reload --dry-run | ipvsadm -R` is `lbd reload`.
  @Test(arguments: rows) func theLinesDoTheSame(row: Row) throws {
    let running = try ReloadPlanTests.running(row)
    let reload = try Reload(
      try ReloadPlanTests.edited(row), former: try ReloadPlanTests.configuration(ReloadPlanTests.text), over: running,
      isWhole: row.isWhole)
    var byLines = running
    var request = AdminRequest()
    request.arguments = ["-R", "--atomic"]
    request.input = Array(reload.plan.lines.map { $0 + "\n" }.joined().utf8)
    let dataplane = try Dataplane(connections: 1024, bothDirections: true, seed: 1)
    let place = Administration.Surroundings(dataplane: dataplane, topology: Samples.network, nowNanoseconds: 1)
    let (answer, _) = AdminDesk().answer(to: request, rights: .change, &byLines, in: place)
    #expect(AdminDeskTests.parts(answer.bytes).errors == "")
    var byReload = reload.administration
    #expect(byLines.listing(in: place).savedInOrder() == byReload.listing(in: place).savedInOrder())
    #expect(byLines.timeouts == byReload.timeouts)
    #expect(byLines.services.listed.map(\.number) == byReload.services.listed.map(\.number))
    #expect(byLines.services.listed.map(\.servers) == byReload.services.listed.map(\.servers))
    let (first, second) = (byLines.services.takeChanges(), byReload.services.takeChanges())
    #expect(first.changes.map(\.change) == second.changes.map(\.change))
    #expect(first.renewed == second.renewed && first.relieved == second.relieved)
  }
}
