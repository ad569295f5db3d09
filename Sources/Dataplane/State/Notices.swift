import CShims
import Glibc
import Kernel
import Wire

/// A worker's words to control: addresses whose MAC address is not known and is needed now.
///
/// A ring with one writer and one reader. When it is full the notice is dropped: the packet after the next will say the same
/// again. The writer wakes control only when the ring was empty.
final class Notices: @unchecked Sendable {
  private static let capacity = 64
  private let words: UnsafeMutablePointer<UInt64>
  private let head: UnsafeMutablePointer<UInt64>
  private let tail: UnsafeMutablePointer<UInt64>
  private let memory: UnsafeMutableRawPointer
  private let wake: EventDescriptor

  init() throws {
    wake = try EventDescriptor()
    let byteCount = Notices.capacity * 16 + 128
    memory = .allocate(byteCount: byteCount, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    head = memory.assumingMemoryBound(to: UInt64.self)
    tail = (memory + 64).assumingMemoryBound(to: UInt64.self)
    words = (memory + 128).assumingMemoryBound(to: UInt64.self)
  }

  deinit {
    memory.deallocate()
  }

  /// Readable when there are notices.
  var descriptor: Int32 { wake.descriptor }

  /// The worker's end, as pointers: the worker's state must not refer to an object.
  var writer: Writer { Writer(words: words, head: head, tail: tail, wakeDescriptor: wake.descriptor) }

  struct Writer: @unchecked Sendable {
    fileprivate let words: UnsafeMutablePointer<UInt64>
    fileprivate let head: UnsafeMutablePointer<UInt64>
    fileprivate let tail: UnsafeMutablePointer<UInt64>
    fileprivate let wakeDescriptor: Int32

    /// IPv4 addresses come with `high` = 0 and a mark in the upper half of `low`.
    func post(high: UInt64, low: UInt64) {
      let position = lbd_load_relaxed(head)
      let waiting = position &- lbd_load_acquire(tail)
      guard waiting < UInt64(Notices.capacity) else { return }
      let index = Int(position % UInt64(Notices.capacity)) * 2
      words[index] = high
      words[index + 1] = low
      lbd_store_release(head, position &+ 1)
      guard waiting == 0 else { return }
      var one: UInt64 = 1
      _ = write(wakeDescriptor, &one, 8)
    }
  }

  /// Control's end: what has been posted.
  func drain() -> [IPAddress] {
    _ = wake.clear()
    var addresses: [IPAddress] = []
    var position = lbd_load_relaxed(tail)
    while position != lbd_load_acquire(head) {
      let index = Int(position % UInt64(Notices.capacity)) * 2
      let (high, low) = (words[index], words[index + 1])
      let isIPv4 = high == 0 && low >> 32 == 0xffff
      addresses.append(
        isIPv4 ? IPAddress(v4: UInt32(truncatingIfNeeded: low)) : IPAddress(high: high, low: low))
      position &+= 1
      lbd_store_release(tail, position)
    }
    return addresses
  }
}
