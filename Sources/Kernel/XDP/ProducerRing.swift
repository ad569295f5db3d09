import CShims

/// A ring that we fill and the kernel empties: the fill ring and the transmit ring.
///
/// A view of a ring whose memory the UMEM or socket owns. Verbs as in libxdp: `reserve` entries, write them, `submit`
/// them; the kernel sees nothing before `submit`.
@frozen
public struct ProducerRing: @unchecked Sendable {
  @usableFromInline let ring: UnsafeMutablePointer<xsk_ring_prod>

  @inlinable
  init(_ ring: UnsafeMutablePointer<xsk_ring_prod>) {
    self.ring = ring
  }

  /// Entries the ring has in all.
  @inlinable
  public var capacity: Int { Int(ring.pointee.size) }

  /// Reserves as many entries as are free, `limit` at most; the first one's index comes back in `index`.
  @inlinable @inline(__always)
  public func reserve(upTo limit: Int, index: inout UInt32) -> Int {
    guard limit > 0 else { return 0 }
    let count = min(UInt32(truncatingIfNeeded: limit), xsk_prod_nb_free(ring, UInt32(truncatingIfNeeded: limit)))
    return Int(xsk_ring_prod__reserve(ring, count, &index))
  }

  /// Shows the kernel the next `count` reserved entries.
  @inlinable @inline(__always)
  public func submit(_ count: Int) {
    xsk_ring_prod__submit(ring, UInt32(truncatingIfNeeded: count))
  }

  /// Writes a reserved entry of a fill ring.
  @inlinable @inline(__always)
  public func setAddress(_ address: UInt64, at index: UInt32) {
    xsk_ring_prod__fill_addr(ring, index).pointee = address
  }

  /// Writes a reserved entry of a transmit ring.
  @inlinable @inline(__always)
  public func setDescriptor(_ descriptor: FrameDescriptor, at index: UInt32) {
    xsk_ring_prod__tx_desc(ring, index).pointee = xdp_desc(
      addr: descriptor.address, len: descriptor.byteCount, options: descriptor.options)
  }

  /// Submitted entries that the kernel has not taken yet.
  @inlinable @inline(__always)
  public var pendingCount: Int { Int(lbd_xdp_pending(ring)) }

  /// Whether the kernel has gone to sleep over this ring and wants to be told of new entries.
  @inlinable @inline(__always)
  public var needsWakeup: Bool { xsk_ring_prod__needs_wakeup(ring) != 0 }
}
