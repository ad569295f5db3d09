import CShims

/// A ring that the kernel fills and we empty: the receive ring and the completion ring.
///
/// A view of a ring whose memory the UMEM or socket owns. Verbs as in libxdp: `peek` at entries, read them, `release`
/// them; the kernel reuses nothing before `release`.
@frozen
public struct ConsumerRing: @unchecked Sendable {
  @usableFromInline let ring: UnsafeMutablePointer<xsk_ring_cons>

  @inlinable
  init(_ ring: UnsafeMutablePointer<xsk_ring_cons>) {
    self.ring = ring
  }

  /// Entries the ring has in all.
  @inlinable
  public var capacity: Int { Int(ring.pointee.size) }

  /// Takes as many entries as there are, `limit` at most; the first one's index comes back in `index`.
  @inlinable @inline(__always)
  public func peek(upTo limit: Int, index: inout UInt32) -> Int {
    Int(xsk_ring_cons__peek(ring, UInt32(truncatingIfNeeded: limit), &index))
  }

  /// Gives the kernel back the `count` entries peeked at first.
  @inlinable @inline(__always)
  public func release(_ count: Int) {
    xsk_ring_cons__release(ring, UInt32(truncatingIfNeeded: count))
  }

  /// Reads an entry of a receive ring.
  @inlinable @inline(__always)
  public func descriptor(at index: UInt32) -> FrameDescriptor {
    let entry = xsk_ring_cons__rx_desc(ring, index).pointee
    return FrameDescriptor(address: entry.addr, byteCount: entry.len)
  }

  /// Reads an entry of a completion ring.
  @inlinable @inline(__always)
  public func address(at index: UInt32) -> UInt64 {
    xsk_ring_cons__comp_addr(ring, index).pointee
  }
}
