import CPcap
import Kernel

/// A port over capture files, or over frames fed to it in memory: for replay and tests.
///
/// Time is the capture's: `nextTimestamp` says when the next frame came, and `receive` hands out none that came after
/// `horizonNanoseconds`, so that whoever drives the pipeline can set its clock first. Transmitted frames are stamped
/// with `transmitNanoseconds` and go to the output file, or, without one, to a buffer that `drainTransmitted` empties.
///
/// This is not the fast path; it may allocate.
public struct PcapPort: Port, ~Copyable, @unchecked Sendable {
  /// Something is wrong with a capture file.
  public struct CaptureError: Error, CustomStringConvertible {
    /// The step, the file and the reason.
    public let description: String
  }

  /// Frames that came later than this stay where they are.
  public var horizonNanoseconds: UInt64 = .max
  /// The time that transmitted frames are stamped with.
  public var transmitNanoseconds: UInt64 = 0
  /// Frames that were not handed out because they do not fit into a frame of the pool.
  public private(set) var tooLongFrameCount: UInt64 = 0
  /// Frames that were not handed out because the capture holds only part of them.
  public private(set) var truncatedFrameCount: UInt64 = 0
  /// Why reading stopped before the end of the file, or nil.
  public private(set) var damage: String?

  private var reader: OpaquePointer?
  private var writer: OpaquePointer?
  private let output: String?
  private var queued = ByteQueue()
  private var transmitted = ByteQueue()
  private var ahead: (bytes: UnsafePointer<UInt8>, captured: Int, original: Int, nanoseconds: UInt64)?

  /// A port without files: frames come by `feed` and go by `drainTransmitted`.
  public init() {
    output = nil
  }

  /// A port that reads one file and writes another; either may be nil.
  public init(reading input: String?, writing output: String?) throws {
    var reader: OpaquePointer?
    if let input {
      reader = try PcapPort.open("read capture \(input)") { lbd_capture_open(input, $0) }
    }
    var writer: OpaquePointer?
    if let output {
      do {
        writer = try PcapPort.open("write capture \(output)") { lbd_capture_create(output, $0) }
      } catch {
        if let reader { lbd_capture_close(reader) }
        throw error
      }
    }
    self.reader = reader
    self.writer = writer
    self.output = output
  }

  deinit {
    if let reader { lbd_capture_close(reader) }
    if let writer { _ = lbd_capture_finish(writer) }
  }

  private static func open(
    _ step: String, _ body: (UnsafeMutablePointer<CChar>) -> OpaquePointer?
  ) throws -> OpaquePointer {
    try withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(LBD_CAPTURE_ERROR_BYTES)) { text in
      text.initialize(repeating: 0)
      guard let base = text.baseAddress, let result = body(base) else {
        throw CaptureError(description: "cannot \(step): \(PcapPort.string(text))")
      }
      return result
    }
  }

  private static func string(_ text: UnsafeMutableBufferPointer<CChar>) -> String {
    String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Queues a frame to be received, as if it had come at `nanoseconds`. Only for a port without an input file.
  public mutating func feed(bytes: UnsafeRawBufferPointer, nanoseconds: UInt64 = 0) {
    queued.append(bytes, nanoseconds)
  }

  /// Calls `body` with each frame transmitted since the last call, in order, and forgets them. Only for a port without
  /// an output file.
  public mutating func drainTransmitted(_ body: (UnsafeRawBufferPointer) -> Void) {
    while let frame = transmitted.first {
      transmitted.withFirst { body($0) }
      transmitted.removeFirst(frame)
    }
  }

  /// When the next frame came, or nil when there is none.
  public mutating func nextTimestamp() -> UInt64? {
    if reader == nil { return queued.first?.nanoseconds }
    readAhead()
    return ahead?.nanoseconds
  }

  /// Closes the output file.
  /// - Throws: when not everything reached it.
  public mutating func finish() throws {
    guard let writer else { return }
    self.writer = nil
    guard lbd_capture_finish(writer) == 0 else {
      throw CaptureError(description: "cannot write capture \(output ?? ""): not everything reached the file")
    }
  }

  private mutating func readAhead() {
    guard ahead == nil, damage == nil, let reader else { return }
    var bytes: UnsafePointer<UInt8>?
    var captured: UInt32 = 0
    var original: UInt32 = 0
    var nanoseconds: UInt64 = 0
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(LBD_CAPTURE_ERROR_BYTES)) { text in
      text.initialize(repeating: 0)
      guard let base = text.baseAddress else { return }
      let result = lbd_capture_next(reader, &bytes, &captured, &original, &nanoseconds, base)
      if result < 0 { damage = PcapPort.string(text) }
      guard result == 1, let bytes else { return }
      ahead = (bytes, Int(captured), Int(original), nanoseconds)
    }
  }

  /// Nothing can be waited for.
  public var pollDescriptor: Int32 { -1 }

  /// Nothing is ever held back.
  public var hasUnsent: Bool { false }

  /// Takes frames whose time has come.
  public mutating func receive(
    into frames: UnsafeMutablePointer<FrameDescriptor>, limit: Int, pool: inout FramePool
  ) -> Int {
    var count = 0
    while count < limit, pool.freeCount > 0, let time = nextTimestamp(), time <= horizonNanoseconds {
      if let ahead {
        let bytes = UnsafeRawBufferPointer(start: ahead.bytes, count: ahead.captured)
        let isWhole = ahead.captured == ahead.original
        if !isWhole { truncatedFrameCount += 1 }
        if isWhole, let frame = place(bytes, &pool) {
          frames[count] = frame
          count += 1
        }
        self.ahead = nil
      } else if let entry = queued.first {
        var frame: FrameDescriptor?
        queued.withFirst { frame = place($0, &pool) }
        queued.removeFirst(entry)
        guard let frame else { continue }
        frames[count] = frame
        count += 1
      }
    }
    return count
  }

  private mutating func place(_ bytes: UnsafeRawBufferPointer, _ pool: inout FramePool) -> FrameDescriptor? {
    guard bytes.count <= pool.packetByteCountLimit else {
      tooLongFrameCount += 1
      return nil
    }
    guard let address = pool.take() else { return nil }
    let start = address + UInt64(FramePool.headroomByteCount)
    if let base = bytes.baseAddress { (pool.base + Int(start)).copyMemory(from: base, byteCount: bytes.count) }
    return FrameDescriptor(address: start, byteCount: UInt32(bytes.count))
  }

  /// Writes frames to the output and gives them back to the pool; all are accepted.
  public mutating func transmit(
    _ frames: UnsafePointer<FrameDescriptor>, count: Int, pool: inout FramePool
  ) -> Int {
    for index in 0..<count {
      let frame = frames[index]
      let start = pool.base + Int(frame.address)
      if let writer {
        let bytes = start.assumingMemoryBound(to: UInt8.self)
        lbd_capture_write(writer, bytes, frame.byteCount, transmitNanoseconds)
      } else {
        transmitted.append(UnsafeRawBufferPointer(start: start, count: Int(frame.byteCount)), transmitNanoseconds)
      }
      pool.give(frame.address)
    }
    return count
  }

  /// Nothing: frames were written when they were transmitted.
  public mutating func flush() {}

  /// Nothing: frames went back to the pool when they were written.
  public mutating func reclaim(into pool: inout FramePool) {}

  /// Frames that were in the input and not handed out.
  public mutating func missedFrameCount() -> UInt64 { tooLongFrameCount + truncatedFrameCount }
}

/// Frames one after another in one growing buffer.
private struct ByteQueue {
  struct Entry {
    let offset: Int
    let byteCount: Int
    let nanoseconds: UInt64
  }

  private var bytes: [UInt8] = []
  private var entries: [Entry] = []
  private var position = 0

  var first: Entry? { position < entries.count ? entries[position] : nil }

  mutating func append(_ frame: UnsafeRawBufferPointer, _ nanoseconds: UInt64) {
    entries.append(Entry(offset: bytes.count, byteCount: frame.count, nanoseconds: nanoseconds))
    bytes.append(contentsOf: frame)
  }

  func withFirst(_ body: (UnsafeRawBufferPointer) -> Void) {
    guard let first else { return }
    bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[first.offset..<first.offset + first.byteCount])) }
  }

  mutating func removeFirst(_ entry: Entry) {
    position += 1
    guard position == entries.count else { return }
    position = 0
    entries.removeAll(keepingCapacity: true)
    bytes.removeAll(keepingCapacity: true)
  }
}
