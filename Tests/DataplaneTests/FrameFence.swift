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
/// be longer. Behind a TCP segment without payload there is room for a PROXY header, which may become its payload.
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
  /// - Parameter hasProxyHeaders: there are services whose servers are told the client by a PROXY header.
  static func close(behind frame: FrameDescriptor, in pipeline: MemoryPipeline, hasProxyHeaders: Bool) {
    guard let poison else { return }
    let bytes = UnsafeRawBufferPointer(start: pipeline.base + Int(frame.address), count: Int(frame.byteCount))
    guard !isFragment(bytes) else { return }
    var byteCount = bytes.count
    if hasProxyHeaders, let end = endOfEmptySegment(bytes) {
      byteCount = max(byteCount, end + ProxyProtocol.byteCountLimit)
    }
    let start = Int(frame.address) + byteCount
    let end = (Int(frame.address) / pipeline.chunkByteCount + 1) * pipeline.chunkByteCount
    if start < end { poison(pipeline.base + start, end - start) }
  }

  /// A fragment, or an IPv6 packet with a fragment header somewhere.
  static func isFragment(_ frame: UnsafeRawBufferPointer) -> Bool {
    guard let glance = Glance(frame) else { return false }
    return glance.isIPv4Fragment || glance.next == IPProtocol.fragment
  }

  /// Where a TCP segment without payload ends; nil for all else.
  static func endOfEmptySegment(_ frame: UnsafeRawBufferPointer) -> Int? {
    guard let glance = Glance(frame), glance.next == TransportProtocol.tcp.rawValue, !glance.isIPv4Fragment,
      glance.transport + TCP.minimumHeaderByteCount <= frame.count
    else { return nil }
    let end = glance.transport + Int(frame[glance.transport + TCP.dataOffset] >> 4) * 4
    return end == glance.end ? end : nil
  }

  /// What a packet is, as far as fences are concerned: written apart from `Parse`, which it is to watch.
  private struct Glance {
    var isIPv4Fragment = false
    /// The first header that is not an extension header of IPv6's (AH counts as one), and where it stands.
    var next: UInt8
    var transport: Int
    /// Where the IP packet ends, by what it says.
    var end: Int

    init?(_ frame: UnsafeRawBufferPointer) {
      var network = 14
      // Tags.
      while network + 4 <= frame.count, frame[network - 2] == 0x81 || frame[network - 2] == 0x88 { network += 4 }
      guard network + 20 <= frame.count else { return nil }
      func number(_ offset: Int) -> Int { Int(frame[network + offset]) << 8 | Int(frame[network + offset + 1]) }
      if frame[network] >> 4 == 4 {
        isIPv4Fragment = number(6) & 0x3fff != 0
        next = frame[network + 9]
        transport = network + Int(frame[network] & 15) * 4
        end = network + number(2)
        return
      }
      guard network + 40 <= frame.count else { return nil }
      next = frame[network + 6]
      transport = network + 40
      end = network + 40 + number(4)
      while [0, 43, 51, 60].contains(next), transport + 8 <= frame.count {
        let length = Int(frame[transport + 1])
        let isAuthentication = next == 51
        next = frame[transport]
        transport += isAuthentication ? (length + 2) * 4 : (length + 1) * 8
      }
    }
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
