import Dataplane
import Glibc
import Kernel
import Wire

/// A whole capture in memory, ready to be sent again and again.
struct LoadedCapture: ~Copyable {
  /// A frame of it.
  struct Frame {
    /// In the block.
    var offset: Int
    var byteCount: UInt32
    /// By which interface it enters, in the dataplane's numbering.
    var interface: UInt8
    /// It may open a connection: a SYN, or the first datagram between two endpoints.
    var isOpener: Bool
  }

  /// In the order of the capture.
  let frames: [Frame]
  /// Of all frames together.
  let byteCount: Int
  /// Of the longest frame.
  let longest: Int
  private let block: MappedMemory

  /// Reads a capture.
  /// - Parameters:
  ///   - interfaces: MAC addresses: a frame enters by the one it is sent to, else by the first.
  ///   - byteLimit: size of the largest file that is taken; nil is half of the memory that is free.
  init(path: String, interfaces: [EthernetAddress], byteLimit: Int? = nil) throws {
    let size = try LoadedCapture.fileSize(path)
    let limit = byteLimit ?? LoadedCapture.freeMemory() / 2
    guard size <= limit else {
      throw LoadedCaptureError(
        "capture \(path) has \(size >> 20) MiB, more than the \(limit >> 20) MiB that may be loaded"
          + " (take a part of it: tcpdump -r \(path) -w part.pcap -c 1000000)")
    }
    let reader = try CaptureReader(path: path)
    let block = try MappedMemory(byteCount: max(size, 1))
    var frames: [Frame] = []
    var seen: Set<FrameGlance> = []
    var end = 0
    var longest = 0
    while let bytes = try reader.next()?.bytes {
      guard let source = bytes.baseAddress else { continue }
      // A file cannot grow while it is read, but it can be replaced by a longer one.
      guard end + bytes.count <= max(size, 1), frames.count < Int(UInt32.max) else {
        throw LoadedCaptureError("capture \(path) has changed while it was read (take a copy)")
      }
      (block.base + end).copyMemory(from: source, byteCount: bytes.count)
      frames.append(
        Frame(
          offset: end, byteCount: UInt32(bytes.count), interface: LoadedCapture.interface(of: bytes, interfaces),
          isOpener: LoadedCapture.isOpener(bytes, &seen)))
      end += bytes.count
      longest = max(longest, bytes.count)
    }
    guard !frames.isEmpty else { throw LoadedCaptureError("capture \(path) has no frames") }
    self.frames = frames
    self.block = block
    self.longest = longest
    byteCount = end
  }

  /// The bytes of a frame.
  func bytes(of frame: Frame) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: block.base + frame.offset, count: Int(frame.byteCount))
  }

  private static func interface(of bytes: UnsafeRawBufferPointer, _ interfaces: [EthernetAddress]) -> UInt8 {
    guard bytes.count >= 6, let address = EthernetAddress(bytes: bytes[0..<6]) else { return 0 }
    return UInt8(interfaces.firstIndex(of: address) ?? 0)
  }

  private static func isOpener(_ bytes: UnsafeRawBufferPointer, _ seen: inout Set<FrameGlance>) -> Bool {
    guard let glance = FrameGlance(bytes) else { return false }
    return glance.transport == .tcp ? glance.isSYN : seen.insert(glance).inserted
  }

  private static func fileSize(_ path: String) throws -> Int {
    var status = stat()
    guard stat(path, &status) == 0 else { throw SystemError.current("read capture \(path)") }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw LoadedCaptureError("capture \(path) is not a file (it is read once, and kept: write it to a file first)")
    }
    return Int(status.st_size)
  }

  /// What the kernel says could be given to a program without swapping.
  private static func freeMemory() -> Int {
    guard let file = fopen("/proc/meminfo", "re") else { return 1 << 30 }
    defer { fclose(file) }
    let bytes = [UInt8](unsafeUninitializedCapacity: 8192) { buffer, count in
      count = fread(buffer.baseAddress, 1, buffer.count, file)
    }
    let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
    let words = lines.first { $0.hasPrefix("MemAvailable:") }?.split(separator: " ")
    return (words.flatMap { $0.count > 1 ? Int($0[1]) : nil } ?? 1 << 20) << 10
  }
}

/// A capture that cannot be replayed.
public struct LoadedCaptureError: Error, CustomStringConvertible {
  /// Step, file, reason and remedy.
  public let description: String

  init(_ description: String) { self.description = description }
}
