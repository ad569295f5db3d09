/// One frame as a ring entry describes it; the layout is that of the kernel's `struct xdp_desc`.
@frozen
public struct FrameDescriptor: Sendable {
  /// Offset of the packet's first byte from the start of the frame memory, in bytes.
  public var address: UInt64
  /// Length of the packet in bytes.
  public var byteCount: UInt32
  /// Ring options; 0 for a packet in one piece.
  public var options: UInt32

  /// A packet in one piece.
  @inlinable
  public init(address: UInt64, byteCount: UInt32) {
    self.address = address
    self.byteCount = byteCount
    options = 0
  }
}
