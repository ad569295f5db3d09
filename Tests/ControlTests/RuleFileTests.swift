import Config
import Dataplane
import Foundation
import Testing

@testable import Control

struct RuleFileTests {
  private let path = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString)").path

  private func administration(_ lines: String) throws -> Administration {
    var administration = Administration()
    for words in IpvsadmBatch(Array(lines.utf8)) {
      try administration.change(try IpvsadmCommand.parse(words).get(), topology: Samples.network)
    }
    return administration
  }

  private static let rules = """
    --set 10 20 30
    --start-daemon master --mcast-interface eth1 --syncid 7 --sync-maxlen 1000 --mcast-group 239.1.2.3 --mcast-port 99
    -A -t 10.1.0.100:80 -s wrr -p 50 -M 255.255.255.0
    -a -t 10.1.0.100:80 -r 10.2.0.12:8080 -m -w 3 -x 100 -y 50
    -a -t 10.1.0.100:80 -r 10.2.0.11:80 -g -w 0
    -A -f 4294967295 -6 -s sh -b sh-port
    -A -u [fd00::1]:53 -s rr -o
    """

  @Test func rulesSurvive() throws {
    defer { try? FileManager.default.removeItem(atPath: path) }
    let dataplane = try Dataplane(connections: 1024, bothDirections: true, seed: 1)
    let place = Administration.Surroundings(dataplane: dataplane, topology: Samples.network, nowNanoseconds: 0)
    let before = try administration(RuleFileTests.rules)
    try RuleFile(path: path).store(before, in: place)
    var after = Administration()
    try RuleFile(path: path).load(into: &after, topology: Samples.network)
    #expect(after.timeouts == before.timeouts && after.daemons.text == before.daemons.text)
    #expect(after.listing(in: place).saved() == before.listing(in: place).saved())
    // The list's own order as well, which schedulers go by.
    #expect(after.listing(in: place).savedInOrder() == before.listing(in: place).savedInOrder())
    #expect(!FileManager.default.fileExists(atPath: path + ".new"))
  }

  @Test func noFileIsEmpty() throws {
    var administration = Administration()
    try RuleFile(path: path).load(into: &administration, topology: Samples.network)
    #expect(administration.services.listed.isEmpty)
  }

  @Test(arguments: [
    ("-A -t 10.1.0.100:80\n-A\n", "command 2, '-A': You need to supply"),
    ("-a -t 10.1.0.100:80 -r 10.2.0.11\n", "command 1, '-a -t 10.1.0.100:80 -r 10.2.0.11': Service not defined"),
  ])
  func whatCannotBeCarriedOutIsRefusedAsAWhole(text: String, message: String) throws {
    try text.write(toFile: path, atomically: false, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    var administration = Administration()
    let error = #expect(throws: RuleFileRefused.self) {
      try RuleFile(path: path).load(into: &administration, topology: Samples.network)
    }
    #expect(error?.description.contains(message) == true, "\(String(describing: error))")
    #expect(administration.services.listed.isEmpty)
  }
}
