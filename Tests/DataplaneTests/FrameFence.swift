import Glibc
import Kernel
import Wire

@testable import Dataplane

/// Under AddressSanitizer (`make fuzz`): what lies behind a frame in its chunk must not be touched while lbd has the frame.
///
/// Frames are chunks of one mapping, so a read beyond a frame's end would be inside of it, and nobody would see. The
/// sanitizer's own functions are found at run time; without it there are none, and nothing happens.
///
/// Fragments have no fence: in the chunk of the one that completes a datagram the datagram's first piece leaves, which may well
/// be longer.
enum FrameFence {
  private typealias Mark = @convention(c) (UnsafeRawPointer, Int) -> Void

  private static func function(_ name: String) -> Mark? {
    dlsym(nil, name).map { unsafeBitCast($0, to: Mark.self) }
  }

  private static let poison = function("__asan_poison_memory_region")
  private static let unpoison = function("__asan_unpoison_memory_region")

  /// True when the program runs under AddressSanitizer.
  static var isThere: Bool { poison != nil && unpoison != nil }

  /// From here on the rest of the frame's chunk is out of bounds.
  static func close(behind frame: FrameDescriptor, in pipeline: MemoryPipeline) {
    guard let poison,
      !isFragment(UnsafeRawBufferPointer(start: pipeline.base + Int(frame.address), count: Int(frame.byteCount)))
    else { return }
    let start = Int(frame.address) + Int(frame.byteCount)
    let end = (Int(frame.address) / pipeline.chunkByteCount + 1) * pipeline.chunkByteCount
    poison(pipeline.base + start, end - start)
  }

  /// A fragment, or an IPv6 packet with a fragment header somewhere.
  static func isFragment(_ frame: UnsafeRawBufferPointer) -> Bool {
    var network = 14
    // Tags.
    while network + 4 <= frame.count, frame[network - 2] == 0x81 || frame[network - 2] == 0x88 { network += 4 }
    guard network + 8 <= frame.count else { return false }
    if frame[network] >> 4 == 4 { return frame[network + 6] & 0x3f | frame[network + 7] != 0 }
    guard network + 40 <= frame.count else { return false }
    var (next, offset) = (frame[network + 6], network + 40)
    while [0, 43, 51, 60].contains(next), offset + 8 <= frame.count {
      let length = Int(frame[offset + 1])
      next = frame[offset]
      offset += next == 51 ? (length + 2) * 4 : (length + 1) * 8
    }
    return next == IPProtocol.fragment
  }

  /// True when the sanitizer would report an access to the byte at `offset` of the frame.
  static func isClosed(_ frame: FrameDescriptor, at offset: Int, in pipeline: MemoryPipeline) -> Bool {
    typealias Ask = @convention(c) (UnsafeRawPointer) -> Int32
    guard let ask = dlsym(nil, "__asan_address_is_poisoned").map({ unsafeBitCast($0, to: Ask.self) }) else {
      return false
    }
    return ask(pipeline.base + Int(frame.address) + offset) != 0
  }

  /// All is open again.
  static func open(_ pipeline: MemoryPipeline) { unpoison?(pipeline.base, pipeline.byteCount) }
}
