import Config
import Dataplane
import Testing
import Wire

@testable import Control

/// Rules of ip_vs become a configuration that makes the same rules.
struct ServiceImportTests {
  static let sets: [(String, String)] = [
    (
      "services of every kind",
      """
      -A -t 10.1.0.100:80 -s wrr -p 50 -M 255.255.255.0
      -a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m -w 3 -x 100 -y 50
      -a -t 10.1.0.100:80 -r 10.2.0.11:80 -g -w 0
      -A -u 10.1.0.100:53 -s rr -o
      -a -u 10.1.0.100:53 -r 10.2.0.11:53 -g -w 1
      --add-service --sctp-service [fd00::1]:99 -s sh -b sh-port,sh-fallback
      -a --sctp-service [fd00::1]:99 -r [fd00::2]:99 -g -w 1
      -A -f 4294967295 -6 -s mh -b mh-port -p 7 -M 64
      -a -f 4294967295 -6 -r [fd00::2]:0 -g -w 1
      -A -f 7 -s lblcr
      -a -f 7 -r 10.2.0.11:80 -m -w 2147483647
      -A -t 10.1.0.101:0 -s wlc -p 360
      -a -t 10.1.0.101:0 -r 10.2.0.11:0 -g -w 1
      """
    ),
    (
      "tunnels",
      """
      -A -t 10.1.0.100:80 -s rr
      -a -t 10.1.0.100:80 -r 10.2.0.1:80 -i -w 1 --tun-type ipip
      -a -t 10.1.0.100:80 -r 10.2.0.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
      -a -t 10.1.0.100:80 -r 10.2.0.3:80 -i -w 1 --tun-type gre --tun-nocsum
      -a -t 10.1.0.100:80 -r 10.2.0.4:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum
      """
    ),
    (
      "local addresses, engines, times",
      """
      --set 10 20 30
      -A -t 10.1.0.100:80 -s rr
      --add-laddr -t 10.1.0.100:80 -z 10.2.0.21
      --add-laddr -t 10.1.0.100:80 -z 10.2.0.22
      -a -t 10.1.0.100:80 -r 10.2.0.1:8080 -b -w 5
      -A -u 10.1.0.100:5060 -s rr -p 60 --pe sip
      -a -u 10.1.0.100:5060 -r 10.2.0.1:5060 -m -w 1
      """
    ),
  ]

  @Test(arguments: sets)
  func importsAndBack(name: String, rules: String) throws {
    var before = Administration()
    for words in IpvsadmBatch(Array(rules.utf8)) {
      try before.change(try IpvsadmCommand.parse(words).get(), topology: Topology())
    }
    let imported = try ServiceImport(ipvsadmSave: Array(rules.utf8), name: "rules")
    let (configuration, diagnostics) = parseConfiguration(bytes: Array(imported.text.utf8), file: "imported.conf")
    #expect(diagnostics.filter { $0.severity != .note } == [], "\(imported.text)")
    var after = Administration()
    try after.services.load(configuration)
    after.timeouts = configuration.timeouts
    let dataplane = try Dataplane(connections: 1024, bothDirections: true, seed: 1)
    let place = Administration.Surroundings(dataplane: dataplane, topology: Topology(), nowNanoseconds: 0)
    #expect(after.listing(in: place).saved() == before.listing(in: place).saved(), "\(imported.text)")
    #expect(after.timeouts == before.timeouts && imported.notes.isEmpty)
  }

  @Test func servicesWithoutServersAreRemarkedOn() throws {
    let imported = try ServiceImport(ipvsadmSave: Array("-A -t 10.1.0.100:80 -s rr\n".utf8), name: "rules")
    #expect(imported.text == "# TCP 10.1.0.100:80 has no real servers; in this language a service has some.\n")
    #expect(imported.notes.count == 1)
  }

  @Test(arguments: [
    ("-A -t www.example.com:http -s rr\n", "rules: command 1, '-A -t www.example.com:http -s rr'"),
    ("-A -t 10.1.0.100:80 -s rr\nfoo\n", "rules: command 2, 'foo'"),
    ("-a -t 10.1.0.100:80 -r 10.2.0.1\n", "Service not defined"),
  ])
  func refusesTheWhole(rules: String, message: String) {
    let error = #expect(throws: ImportRefused.self) {
      try ServiceImport(ipvsadmSave: Array(rules.utf8), name: "rules")
    }
    #expect(error?.description.contains(message) == true, "\(String(describing: error))")
  }
}
