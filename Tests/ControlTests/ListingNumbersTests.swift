import Config
import Dataplane
import Testing

@testable import Control

/// The other forms of listings, and what is saved, as recorded from a real ipvsadm.
struct ListingNumbersTests {
  static let commands = """
    -A -u 10.1.0.100:500 -s rr -p
    -A -t 10.1.0.99:80 -s wrr -p 600 -M 255.255.255.0
    -a -t 10.1.0.99:80 -r 10.2.0.12 -x 100 -y 50 -w 2
    -a -t 10.1.0.99:80 -r 10.2.0.11
    -A -f 7 -s mh -p 50 -b mh-port
    -a -f 7 -r 10.2.0.12 -g -w 10
    -A -f 4294967295 -s rr
    -A -f 9 -6 -s rr
    -A -u 10.1.0.100:5060 -s rr -p 60 --pe sip
    -A -u 10.1.0.100:53 -s rr -o
    -A -t 0.0.0.0:0 -s rr -p 10
    -A -t [fd00::1]:80 -s rr -p 9 -M 64
    -A -t 10.1.0.100:81 -s rr -M 255.0.255.0
    """

  private func listing(_ lines: String = commands) throws -> Listing {
    Listing(
      services: Samples.services(lines), dataplane: try Dataplane(connections: 1024, bothDirections: true, seed: 1))
  }

  private func text(_ words: String) throws -> String {
    guard case .list(let request) = try IpvsadmCommand.parse(words.split(separator: " ").map(String.init)).get() else {
      Issue.record("\(words) is no listing")
      return ""
    }
    return try listing().text(request, timeouts: ConnectionTimeouts(), nowNanoseconds: 0)
  }

  private func lines(_ words: String) throws -> [Substring] { try text(words).split(separator: "\n") }

  @Test func attributesAreNamed() throws {
    #expect(
      try lines("-Ln").dropFirst(3).filter { !$0.hasPrefix("  ->") } == [
        "FWM  -1 rr", "TCP  0.0.0.0:0 rr persistent 10", "TCP  10.1.0.99:80 wrr persistent 600 mask 255.255.255.0",
        "TCP  10.1.0.100:81 rr", "UDP  10.1.0.100:53 rr ops", "UDP  10.1.0.100:500 rr persistent 360",
        "UDP  10.1.0.100:5060 rr persistent 60 pe sip", "TCP  [fd00::1]:80 rr persistent 9 mask 64",
        "FWM  7 mh (mh-port) persistent 50", "FWM  9 IPv6 rr",
      ])
  }

  @Test func oneServiceIsListedWithoutTheBanner() throws {
    #expect(
      try text("-Ln -f 7") == """
        Prot LocalAddress:Port Scheduler Flags
          -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
        FWM  7 mh (mh-port) persistent 50
          -> 10.2.0.12:0                  Route   10     0          0\("         ")

        """)
    #expect(throws: IpvsadmError("No such service", exitCode: 1)) { try text("-Ln -t 10.1.0.123:80") }
  }

  @Test func unsortedIsNewestFirst() throws {
    let names = try lines("-Ln --nosort -t 10.1.0.99:80").suffix(2).map { $0.split(separator: " ")[1] }
    #expect(names == ["10.2.0.11:80", "10.2.0.12:80"])
    #expect(try lines("-Ln --nosort")[3] == "TCP  10.1.0.100:81 rr")
  }

  @Test(arguments: [
    (
      "-Ln --thresholds", "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn ",
      "  -> 10.2.0.12:80                 100        50         0          0         "
    ),
    (
      "-Ln --persistent-conn", "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn ",
      "  -> 10.2.0.12:80                 2         0           0          0         "
    ),
    (
      "-Ln --tun-info", "Prot LocalAddress:Port Scheduler Flags",
      "  -> 10.2.0.12:80                 Route   n/a           2      0          0         "
    ),
    (
      "-Ln --stats", "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes",
      "  -> 10.2.0.12:80                        0        0        0        0        0"
    ),
    ("-L --timeout", "Timeout (tcp tcpfin udp): 900 120 300", "Timeout (tcp tcpfin udp): 900 120 300"),
    (
      "-Lnc --persistent-conn", "IPVS connection entries",
      "pro expire state       source             virtual            destination        pe name          pe_data"
    ),
  ])
  func formsHaveTheirColumns(words: String, head: String, line: String) throws {
    let lines = try lines(words)
    #expect(lines.contains(Substring(head)) && lines.contains(Substring(line)), "\(lines)")
  }

  @Test func nothingIsSaidOfDaemons() throws { #expect(try text("-L --daemon") == "") }

  @Test func ratesAreShortenedForServicesOnly() throws {
    var listing = try listing("-A -t 10.1.0.99:80\n-a -t 10.1.0.99:80 -r 10.2.0.11")
    #expect(listing.rateText(isExact: false) == nil)
    var estimator = RateEstimator()
    for second in UInt64(1)...100 {
      var sent = ServerCounters()
      sent.connections = second * 400_000_000
      sent.inPackets = second * 4600
      sent.outPackets = second * 3512
      sent.inBytes = second * 800_000_000
      sent.outBytes = second * 12_000_000
      estimator.look(at: listing.services) { _ in sent }
    }
    listing.rates = estimator
    #expect(
      listing.rateText(isExact: false)?.split(separator: "\n").suffix(2) == [
        "TCP  10.1.0.99:80                  200000K     2300     1756  400000K  6000000",
        "  -> 10.2.0.11:80                 200000000     2300     1756  400000K  6000000",
      ])
  }

  @Test(
    arguments: [
      (0, "0"), (99_999_999, "99999999"), (100_000_000, "100000K"), (634_000_123, "634000K"), (1_234_567_890, "1234M"),
      (98_765_432_101, "98765M"), (100_000_000_000, "100G"), (100_000_000_000_000, "100T"),
      (UInt64.max, "18446744T"),
    ] as [(UInt64, String)])
  func numbersAreShortened(number: UInt64, expected: String) {
    #expect(Listing.shortened(number) == expected)
  }

  @Test func savedCommandsMakeTheSameServices() throws {
    let first = try listing()
    let saved = first.saved()
    #expect(
      saved.split(separator: "\n") == [
        "-A -f 4294967295 -s rr", "-A -t 0.0.0.0:0 -s rr -p 10", "-A -t 10.1.0.99:80 -s wrr -p 600 -M 255.255.255.0",
        "-a -t 10.1.0.99:80 -r 10.2.0.11:80 -g -w 1", "-a -t 10.1.0.99:80 -r 10.2.0.12:80 -g -w 2 -x 100 -y 50",
        "-A -t 10.1.0.100:81 -s rr", "-A -u 10.1.0.100:53 -s rr -o", "-A -u 10.1.0.100:500 -s rr -p 360",
        "-A -u 10.1.0.100:5060 -s rr -p 60 --pe sip", "-A -t [fd00::1]:80 -s rr -p 9 -M 64",
        "-A -f 7 -s mh -p 50 -b mh-port", "-a -f 7 -r 10.2.0.12:0 -g -w 10", "-A -f 9 -6 -s rr",
      ])
    #expect(try listing(saved).saved() == saved)
  }

  @Test func zeroIsABeginning() throws {
    var services = Samples.services("-A -t 10.1.0.99:80\n-a -t 10.1.0.99:80 -r 10.2.0.11")
    var sent = ServerCounters()
    sent.connections = 3
    #expect(throws: EditError.noService) { try services.zero(Samples.tcp("10.1.0.77:80")) { _ in sent } }
    try services.zero(nil) { _ in sent }
    sent.connections = 5
    try services.run("-d -t 10.1.0.99:80 -r 10.2.0.11")
    services.reclaim(isUnused: { _ in true }) { _ in sent }
    #expect(services.service(Samples.tcp("10.1.0.99:80"))?.retired.connections == 2)
  }

  /// What a real ip_vs answered, in this order.
  @Test func kernelsRefusals() throws {
    var services = VirtualServices()
    let recorded: [(String, String?)] = [
      ("-A -t 10.1.0.100:80 -s nosuch", "Scheduler or persistence engine not found"),
      ("-A -t 10.1.0.100:80 -s rr", nil), ("-A -t 10.1.0.100:80 -s rr", "Service already exists"),
      ("-A -t 10.1.0.100:84 --pe nosuch", "Scheduler or persistence engine not found"),
      ("-A -t 10.1.0.100:85 --pe sip", nil), ("-E -t 10.1.0.77:80 -s rr", "No such service"),
      ("-D -t 10.1.0.77:80", "No such service"), ("-a -t 10.1.0.77:80 -r 10.2.0.11", "Service not defined"),
      ("-a -t 10.1.0.77:80 -r 224.0.0.1", "Service not defined"), ("-a -t 10.1.0.100:80 -r 10.2.0.11", nil),
      ("-a -t 10.1.0.100:80 -r 10.2.0.11", "Destination already exists"),
      ("-a -t 10.1.0.100:80 -r 10.2.0.14 -x 5 -y 10", "Numerical result out of range"),
      (
        "-a -t 10.1.0.100:80 -r 224.0.0.1 -g",
        "Invalid operation.  Possibly wrong module version, address not unicast, ..."
      ),
      ("-e -t 10.1.0.100:80 -r 10.2.0.99", "No such destination"),
      ("-d -t 10.1.0.100:80 -r 10.2.0.99", "No such destination"),
      ("-e -t 10.1.0.77:80 -r 10.2.0.11", "Service not defined"),
    ]
    for (line, expected) in recorded {
      do {
        try services.run(line)
        #expect(expected == nil, "\(line)")
      } catch let error as EditError {
        #expect(error.answer.message == expected && error.answer.exitCode == 255, "\(line)")
      }
    }
  }
}
