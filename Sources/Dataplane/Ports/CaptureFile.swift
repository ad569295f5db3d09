import CPcap

/// Something is wrong with a capture file.
public struct CaptureError: Error, CustomStringConvertible {
  /// The step, the file and the reason.
  public let description: String
}

/// Reads an Ethernet capture frame by frame (libpcap: pcap and pcapng, either byte order, micro- or nanoseconds).
public final class CaptureReader {
  /// A frame as captured; the bytes stay valid until the next one is read.
  public struct Frame {
    /// What was captured.
    public let bytes: UnsafeRawBufferPointer
    /// When, in nanoseconds of the capture's clock.
    public let nanoseconds: UInt64
  }

  private let reader: OpaquePointer
  private let path: String

  /// Opens a capture.
  public init(path: String) throws {
    let (reader, reason) = CaptureReader.withMessage { lbd_capture_open(path, $0) }
    guard let reader else { throw CaptureError(description: "cannot read capture \(path): \(reason)") }
    self.reader = reader
    self.path = path
  }

  deinit {
    lbd_capture_close(reader)
  }

  /// The next frame, or nil at the end.
  /// - Throws: when the file is damaged, or holds only a part of the frame.
  public func next() throws -> Frame? {
    var bytes: UnsafePointer<UInt8>?
    var captured: UInt32 = 0
    var original: UInt32 = 0
    var nanoseconds: UInt64 = 0
    let (result, reason) = CaptureReader.withMessage {
      lbd_capture_next(reader, &bytes, &captured, &original, &nanoseconds, $0)
    }
    if result == 0 { return nil }
    guard result == 1, let bytes else { throw CaptureError(description: "cannot read capture \(path): \(reason)") }
    guard captured == original else {
      throw CaptureError(
        description: "capture \(path) holds \(captured) of \(original) bytes of a frame (capture with -s 0)")
    }
    return Frame(bytes: UnsafeRawBufferPointer(start: bytes, count: Int(captured)), nanoseconds: nanoseconds)
  }

  static func withMessage<Result>(_ body: (UnsafeMutablePointer<CChar>) -> Result) -> (Result, String) {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(LBD_CAPTURE_ERROR_BYTES)) { text in
      text.initialize(repeating: 0)
      guard let base = text.baseAddress else { preconditionFailure("a buffer of fixed size has an address") }
      let result = body(base)
      return (result, String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
  }
}

/// Writes an Ethernet capture (pcap, microseconds).
public final class CaptureWriter {
  private var writer: OpaquePointer?
  private let path: String

  /// Creates the file, or empties it.
  public init(path: String) throws {
    let (writer, reason) = CaptureReader.withMessage { lbd_capture_create(path, $0) }
    guard let writer else { throw CaptureError(description: "cannot write capture \(path): \(reason)") }
    self.writer = writer
    self.path = path
  }

  deinit {
    if let writer { _ = lbd_capture_finish(writer) }
  }

  /// Appends a frame.
  public func write(_ bytes: UnsafeRawBufferPointer, nanoseconds: UInt64) {
    guard let writer, let base = bytes.baseAddress else { return }
    lbd_capture_write(writer, base.assumingMemoryBound(to: UInt8.self), UInt32(bytes.count), nanoseconds)
  }

  /// Closes the file.
  /// - Throws: when not everything reached it.
  public func finish() throws {
    guard let writer else { return }
    self.writer = nil
    guard lbd_capture_finish(writer) == 0 else {
      throw CaptureError(description: "cannot write capture \(path): not everything reached the file")
    }
  }
}
