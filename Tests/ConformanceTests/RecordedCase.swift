import Control
import Dataplane
import Foundation
import Testing

/// What a real ip_vs was seen to do with a handful of frames: commands, frames in, frames out, listings.
///
/// A case is a folder: `commands.txt` and `in.pcap` are played through the very replay that the program has, `out.pcap` and
/// `state.txt` are what ip_vs made of them. Input k is stamped k s, its outputs k s + 1 ms * (j + 1), so that cause and
/// effect can be read off a time stamp.
struct RecordedCase: Sendable, CustomTestStringConvertible {
  let name: String

  var testDescription: String { name }

  static let vectors = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Vectors")

  /// What the director's kernel knew in every case, as `ip` lines.
  static let fixture = vectors.appendingPathComponent("fixture.txt").path

  /// Every recorded case, by name.
  static let all: [RecordedCase] = {
    let names = try? FileManager.default.contentsOfDirectory(atPath: vectors.appendingPathComponent("packets").path)
    return (names ?? []).sorted().map(RecordedCase.init)
  }()

  var folder: String { RecordedCase.vectors.appendingPathComponent("packets/\(name)").path }

  /// The frames given to the director.
  func given() throws -> [CapturedFrame] { try CapturedFrame.read(folder + "/in.pcap") }

  /// The frames that ip_vs sent.
  func sent() throws -> [CapturedFrame] { try CapturedFrame.read(folder + "/out.pcap") }

  /// True when the recording has listings; some have frames alone.
  var hasListings: Bool { FileManager.default.fileExists(atPath: folder + "/state.txt") }

  /// The listings that ip_vs gave.
  func listings() throws -> [StateListing] {
    StateListing.parse(try String(contentsOfFile: folder + "/state.txt", encoding: .utf8))
  }
}

/// What a replay wrote.
struct Playback {
  let transmitted: [CapturedFrame]
  let passed: [CapturedFrame]
  let state: String
  /// The three files as they are: `out.pcap`, `passed.pcap`, `state.txt`.
  let files: [Data]

  /// Plays a case folder into a temporary folder, in this process.
  init(folder: String) throws {
    let output = try TemporaryFolder()
    let replay = try ReplayCase(output: output.path, connections: 4096)
    try replay.play(folder: folder, topology: RecordedCase.fixture)
    #expect(replay.isBalanced, "every frame has one outcome: \(replay.balance)")
    transmitted = try CapturedFrame.read(output.path + "/out.pcap")
    passed = try CapturedFrame.read(output.path + "/passed.pcap")
    state = try String(contentsOfFile: output.path + "/state.txt", encoding: .utf8)
    files = try ["out.pcap", "passed.pcap", "state.txt"].map {
      try Data(contentsOf: URL(fileURLWithPath: output.path + "/" + $0))
    }
  }
}

/// A frame out of a capture.
struct CapturedFrame: Equatable, Sendable {
  var bytes: [UInt8]
  var nanoseconds: UInt64

  /// The input that caused it: whole seconds of the stamp.
  var input: Int { Int(nanoseconds / 1_000_000_000) }

  /// All frames of a capture.
  static func read(_ path: String) throws -> [CapturedFrame] {
    let reader = try CaptureReader(path: path)
    var frames: [CapturedFrame] = []
    while let frame = try reader.next() {
      frames.append(CapturedFrame(bytes: Array(frame.bytes), nanoseconds: frame.nanoseconds))
    }
    return frames
  }

  /// Frames in order, by the input that caused them.
  static func byInput(_ frames: [CapturedFrame]) -> [Int: [CapturedFrame]] { Dictionary(grouping: frames, by: \.input) }
}

/// A folder that goes when its owner does.
final class TemporaryFolder {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }
}
