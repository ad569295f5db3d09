import Glibc
import Kernel
import Wire

@testable import Dataplane

/// Under AddressSanitizer (`make fuzz`): what lies behind a frame in its chunk must not be touched while lbd has the frame.
///
/// Frames are chunks of one mapping, so a read beyond a frame's end would be inside of it, and nobody would see. The
/// sanitizer's own functions are found at run time; without it there are none, and nothing happens.
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
    guard let poison else { return }
    let start = Int(frame.address) + Int(frame.byteCount)
    let end = (Int(frame.address) / pipeline.chunkByteCount + 1) * pipeline.chunkByteCount
    poison(pipeline.base + start, end - start)
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
