import Control
import Dataplane
import Foundation
import Testing

/// `ipvsadm -Lnc --persistent-conn` after a recorded case: the columns of the engine, as a real ip_vs gave them.
struct EngineListingTests {
  @Test(arguments: ["sip-nat", "sip-dr", "sip-ops", "sip-two", "sip-mark", "sip-syntax", "sip-edit"])
  func columnsAreThoseOfIPVS(name: String) throws {
    let recording = RecordedCase.vectors.appendingPathComponent("engines/\(name).txt")
    let want = EngineListingTests.lines(try String(contentsOf: recording, encoding: .utf8))
    let folder = try TemporaryFolder()
    let recorded = RecordedCase(name: name)
    for file in ["in.pcap", "commands.txt"] {
      try FileManager.default.copyItem(atPath: recorded.folder + "/" + file, toPath: folder.path + "/" + file)
    }
    let commands = try String(contentsOfFile: folder.path + "/commands.txt", encoding: .utf8)
    try (commands + "@inject rest\nipvsadm -Lnc --persistent-conn\n").write(
      toFile: folder.path + "/commands.txt", atomically: false, encoding: .utf8)
    let state = try Playback(folder: folder.path).state
    let have = EngineListingTests.lines(state.components(separatedBy: "$ ipvsadm -Lnc --persistent-conn\n")[1])
    #expect(want.contains { $0.contains(" sip  ") })
    #expect(have == want)
  }

  /// Sorted, up to the next listing, without the time that is left.
  private static func lines(_ text: String) -> [String] {
    text.components(separatedBy: "\n#")[0].split(separator: "\n").map { line in
      let isEntry = line.count > 10 && line.dropFirst(6).first == ":"
      return isEntry ? String(line.prefix(4) + line.dropFirst(9)) : String(line)
    }.sorted()
  }
}
