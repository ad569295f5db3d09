import Dataplane
import Glibc
import Testing

@Suite struct CaptureFileTests {
  @Test func filesRoundTrip() throws {
    let path = "/tmp/lbd-capture-\(getpid()).pcap"
    defer { unlink(path) }
    let frames = (0..<20).map { [UInt8](repeating: UInt8($0), count: 60 + $0 * 40) }
    let writer = try CaptureWriter(path: path)
    for (index, frame) in frames.enumerated() {
      frame.withUnsafeBytes { writer.write($0, nanoseconds: UInt64(index) * 1_500_000_000) }
    }
    try writer.finish()
    let reader = try CaptureReader(path: path)
    var index = 0
    while let frame = try reader.next() {
      #expect(Array(frame.bytes) == frames[index])
      #expect(frame.nanoseconds == UInt64(index) * 1_500_000_000)
      index += 1
    }
    #expect(index == frames.count)
  }

  @Test func missingFileSaysSo() {
    let error = #expect(throws: CaptureError.self) { _ = try CaptureReader(path: "/nonexistent/x.pcap") }
    #expect(error?.description.hasPrefix("cannot read capture /nonexistent/x.pcap: ") == true)
    let unwritable = #expect(throws: CaptureError.self) { _ = try CaptureWriter(path: "/nonexistent/x.pcap") }
    #expect(unwritable?.description.hasPrefix("cannot write capture /nonexistent/x.pcap: ") == true)
  }

  struct Damage: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let link: UInt8
    let record: [UInt8]
    let complaint: String
  }

  /// A header of little-endian microseconds, then one record.
  @Test(arguments: [
    Damage(
      testDescription: "cut short", link: 1, record: [1, 0, 0, 0, 0, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0, 0, 1, 2, 3],
      complaint: "cannot read capture"),
    Damage(
      testDescription: "snap length", link: 1, record: [1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 60, 0, 0, 0, 1, 2],
      complaint: "holds 2 of 60 bytes"),
    Damage(testDescription: "not Ethernet", link: 101, record: [], complaint: "not an Ethernet capture"),
  ])
  func damagedFilesAreRefused(damage: Damage) throws {
    let path = "/tmp/lbd-capture-damaged-\(getpid())-\(damage.link)-\(damage.record.count).pcap"
    defer { unlink(path) }
    let header: [UInt8] = [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, damage.link]
    let bytes = header + [0, 0, 0] + damage.record
    let descriptor = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0o600)
    _ = write(descriptor, bytes, bytes.count)
    close(descriptor)
    let error = #expect(throws: CaptureError.self) { _ = try CaptureReader(path: path).next() }
    #expect(error?.description.contains(damage.complaint) == true)
  }
}
