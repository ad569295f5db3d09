import Config
import Dataplane
import Foundation
import Testing
import Wire

@testable import Control

/// Generated captures, and what the loop makes of them.
struct CaptureGeneratorTests {
  /// A folder that goes when the body is done.
  private func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  private static func configuration(_ services: SampleServices) -> Configuration {
    let (configuration, found) = parseConfiguration(bytes: Array(services.text.utf8), file: "sample.conf")
    #expect(found.map(\.description) == [])
    return configuration
  }

  private static func generator(
    _ services: SampleServices = .all, flows: Int = 200, packets: Int? = nil, seed: UInt64 = 1
  ) throws -> CaptureGenerator {
    var options = CaptureGenerator.Options()
    options.flows = flows
    options.packets = packets
    options.seed = seed
    return try CaptureGenerator(configuration: configuration(services), name: "sample.conf", options: options)
  }

  private static func bench(
    _ path: String, _ services: SampleServices, _ generator: CaptureGenerator,
    _ change: (inout CaptureBench.Options) -> Void = { _ in }
  ) throws -> CaptureBenchResult {
    var options = CaptureBench.Options()
    options.seconds = 0
    options.connections = 65_536
    change(&options)
    let bench = try CaptureBench(
      configuration: configuration(services), topology: try TopologyFile.parse(generator.topology, name: "net"),
      capture: path, options: options)
    #expect(bench.notes == [])
    // On a thread of its own: it stays on one core.
    return try PinnedResult.of { try bench.run() }
  }

  @Test func sameSeedSameBytes() throws {
    try withFolder { folder in
      for (name, seed) in [("a", 1), ("b", 1), ("c", 2)] as [(String, UInt64)] {
        var generator = try CaptureGeneratorTests.generator(seed: seed)
        _ = try generator.write(to: "\(folder)/\(name)")
      }
      let files = try ["a", "b", "c"].map { try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\($0)")) }
      #expect(files[0] == files[1] && files[0] != files[2])
    }
  }

  @Test func framesAreSoundAndInOrder() throws {
    try withFolder { folder in
      var generator = try CaptureGeneratorTests.generator()
      let made = try generator.write(to: folder + "/a")
      let reader = try CaptureReader(path: folder + "/a")
      var last: UInt64 = 0
      var sizes: Set<Int> = []
      var kinds: Set<String> = []
      var frames = 0
      while let frame = try reader.next() {
        #expect(frame.nanoseconds >= last)
        last = frame.nanoseconds
        let glance = try #require(FrameGlance(frame.bytes))
        kinds.insert("\(glance.transport) \(glance.source.address.family)")
        sizes.insert(frame.bytes.count - 14)
        #expect(CaptureGeneratorTests.hasSoundChecksum(frame.bytes, glance))
        frames += 1
      }
      #expect(frames == made.frames && made.flows == 200 && made.answers > 0)
      #expect(kinds == ["tcp ipv4", "tcp ipv6", "udp ipv4", "udp ipv6"])
      #expect(sizes.isSuperset(of: [40, 576, 1500]) && sizes.max() == 1500)
    }
  }

  /// Sums the transport header, its payload and what the pseudo header says of them.
  private static func hasSoundChecksum(_ frame: UnsafeRawBufferPointer, _ glance: FrameGlance) -> Bool {
    let isV6 = glance.source.address.family == .ipv6
    let header = frame.baseAddress! + 14
    let start = 14 + (isV6 ? 40 : 20)
    var sum = Checksum()
    let number = glance.transport.rawValue
    if isV6 {
      sum.addPseudoHeader6(
        addresses: header + IPv6.sourceOffset, protocolNumber: number, byteCount: frame.count - start)
    } else {
      sum.addPseudoHeader4(
        addresses: header + IPv4.sourceOffset, protocolNumber: number, byteCount: frame.count - start)
    }
    sum.add(UnsafeRawBufferPointer(rebasing: frame[start...]))
    return sum.value == 0
  }

  @Test func captureEndsAfterSoManyFrames() throws {
    try withFolder { folder in
      var generator = try CaptureGeneratorTests.generator(packets: 100)
      #expect(try generator.write(to: folder + "/a").frames == 100)
    }
  }

  @Test(arguments: SampleServices.allCases) func loopForwardsEveryFrame(services: SampleServices) throws {
    try withFolder { folder in
      let path = folder + "/a.pcap"
      var generator = try CaptureGeneratorTests.generator(services, flows: 500)
      let made = try generator.write(to: path)
      let result = try CaptureGeneratorTests.bench(path, services, generator)
      #expect(result.isBalanced && result.passes == 1 && result.frames == made.frames)
      #expect(result.packets == UInt64(made.frames) && result.byteCount == made.byteCount)
      #expect(result.statistics.sum(.forwarded) == result.packets)
      let replies =
        result.statistics.outcomes[.masqueradeReply, default: 0]
        + result.statistics.outcomes[.fullNATReply, default: 0]
      #expect(replies == UInt64(made.answers))
      #expect(result.times.areFull && result.times.minimum <= result.times.p50)
      #expect(result.times.p50 <= result.times.p99 && result.times.p999 <= result.times.maximum)
      #expect(result.json.hasPrefix("{\"capture\": \"") && result.json.hasSuffix("}}\n"))
      #expect(result.text.contains("# balance\nreceived \(made.frames) = forwarded \(made.frames) + passed 0"))
    }
  }

  @Test func smallBatchesAndShortCaptures() throws {
    try withFolder { folder in
      let path = folder + "/a.pcap"
      var generator = try CaptureGeneratorTests.generator(.dr, flows: 3, packets: 10)
      _ = try generator.write(to: path)
      let whole = try CaptureGeneratorTests.bench(path, .dr, generator)
      #expect(whole.batches == 1 && !whole.times.areFull && whole.times.count == 1)
      let single = try CaptureGeneratorTests.bench(path, .dr, generator) { $0.batch = 1 }
      #expect(single.batches == 10 && single.times.areFull && single.times.count == 10)
    }
  }

  @Test func whatCannotBeReplayedIsNamed() throws {
    try withFolder { folder in
      let path = folder + "/a.pcap"
      var generator = try CaptureGeneratorTests.generator(.dr, flows: 10)
      _ = try generator.write(to: path)
      func reason(_ path: String, _ change: (inout CaptureBench.Options) -> Void = { _ in }) -> String {
        do { _ = try CaptureGeneratorTests.bench(path, .dr, generator, change) } catch { return "\(error)" }
        return ""
      }
      #expect(reason(path) { $0.byteLimit = 1 << 20 } == "")
      #expect(reason(path) { $0.byteLimit = 100 }.contains("more than the 0 MiB that may be loaded (take a part"))
      #expect(reason(folder).contains("is not a file"))
      #expect(reason(folder + "/none").contains("ENOENT"))
      try CaptureWriter(path: path).finish()
      #expect(reason(path) == "capture \(path) has no frames")
      let large = try CaptureWriter(path: path)
      [UInt8](repeating: 0, count: 9000).withUnsafeBytes { large.write($0, nanoseconds: 0) }
      try large.finish()
      #expect(reason(path).contains("has a frame of 9000 bytes"))
    }
    #expect(throws: LoadedCaptureError.self) {
      try CaptureGenerator(configuration: Configuration(), name: "empty.conf", options: .init())
    }
  }

  @Test func topologyLinesAreChecked() {
    func reason(_ text: String) -> String {
      do { _ = try TopologyFile.parse(text, name: "net") } catch { return "\(error)" }
      return ""
    }
    #expect(reason("# nothing\n\nip link set eth0 address 02:00:00:00:00:01 up\n") == "")
    #expect(reason("ipvsadm -C") == "net:1: ipvsadm: a topology has lines of ip and sysctl only")
    #expect(reason("\nip addr add 10.0.0.1/8 dev eth9") == "net:2: no interface eth9")
    #expect(reason("ip frobnicate it").hasPrefix("net:1: "))
  }
}
