import Foundation
import Scheduler
import Testing

/// Plays what a real director was seen to do: a row per connection with the server that got it, commands in between.
struct RecordedPicksTests {
  static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Vectors")

  static let files: [String] = {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return all.filter { $0.hasSuffix(".csv") }.sorted()
  }()

  @Test func recordingsAreThere() {
    // Of chance nothing can be recorded, and of `none` there is nothing.
    for scheduler in Scheduler.allCases where scheduler != .twoChoices && scheduler != .nobody {
      for variant in ["syn", "fin", "mix", "eq", "w0", "thr", "allw0", "fwm"] {
        #expect(RecordedPicksTests.files.contains("\(scheduler.name).\(variant).csv"))
      }
    }
  }

  @Test(arguments: files) func everyConnectionGoesWhereItWent(file: String) throws {
    let text = try String(contentsOf: RecordedPicksTests.folder.appendingPathComponent(file), encoding: .utf8)
    var recording = Recording()
    for line in text.split(separator: "\n") where !line.hasPrefix("#end") {
      if line.hasPrefix("#") {
        recording.command(line.split(separator: " ").dropFirst().map(String.init))
      } else if line.first?.isNumber == true {
        let fields = line.split(separator: ",").map(String.init)
        let expected = fields[5].hasPrefix("icmp") ? "-" : fields[5]
        #expect(try recording.connection(fields) == expected, "connection \(fields[0])")
      }
    }
    for line in text.split(separator: "\n") where line.hasPrefix("#end   -> 10.") {
      let fields = line.split(separator: " ").map(String.init)
      recording.checkCounts(fields)
    }
  }
}

/// The model that a recording's lines are played on.
private struct Recording {
  var service = ServiceModel(.roundRobin)
  var finishes: (Int) -> Bool = { _ in false }

  mutating func command(_ words: [String]) {
    if words.starts(with: ["packets", "of", "a", "connection,"]) {
      switch words[6].prefix(while: { $0 != ";" }) {
      case "S,A,FA": finishes = { _ in true }
      case "S,A[,FA]": finishes = { $0 % 3 == 0 }
      default: finishes = { _ in false }
      }
    }
    guard words.first == "ipvsadm" else { return }
    var options: [String: String] = [:]
    for index in words.indices.dropLast() where words[index].hasPrefix("-") { options[words[index]] = words[index + 1] }
    switch words[1] {
    case "-A":
      var flags: SchedulerFlags = []
      if options["-b"]?.contains("fallback") == true { flags.insert(.fallback) }
      if options["-b"]?.contains("port") == true { flags.insert(.port) }
      service = ServiceModel(Scheduler(name: options["-s"]!)!, flags: flags)
      // Under a firewall mark servers are given without a port.
      if options["-f"] != nil { service.port = 0 }
    case "-a": service.add(server(options), weight: Int32(options["-w"]!)!, upper: UInt64(options["-x"] ?? "0")!)
    case "-e": service.edit(server(options), weight: Int32(options["-w"]!)!)
    case "-d": service.remove(server(options))
    default: Issue.record("unknown command \(words)")
    }
  }

  private func server(_ options: [String: String]) -> String { String(options["-r"]!.prefix { $0 != ":" }) }

  mutating func connection(_ fields: [String]) throws -> String {
    let number = fields[1].split(separator: ".").reduce(UInt32(0)) { $0 << 8 | UInt32($1)! }
    let destination = fields[3].split(separator: ".").reduce(UInt32(0)) { $0 << 8 | UInt32($1)! }
    var flow = ScheduledFlow(to: destination)
    flow.clientFold = AddressFold.v4(number)
    flow.clientPort = try #require(UInt16(fields[2]))
    guard let name = service.connect(flow) else { return "-" }
    if finishes(Int(fields[0])!) { service.finish(name) }
    return name
  }

  /// `#end -> ADDRESS:PORT Route WEIGHT ACTIVE INACTIVE`, or the thresholds in place of the method and the weight.
  func checkCounts(_ fields: [String]) {
    let name = String(fields[2].prefix { $0 != ":" })
    let counts = service.connections[Int(service.identifier(of: name))]
    #expect("\(counts >> 32) \(counts & 0xffff_ffff)" == "\(fields[5]) \(fields[6])", "counts of \(name)")
  }
}
