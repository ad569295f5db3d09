import CShims

/// A connection's value: everything about it that is not its key, in one 64-bit word.
///
/// One word, so that any worker (and XDP) can read it whole and change it by compare-and-swap. The layout is in
/// `bpf/lb_shared.h`. The real server's number leads to everything else: its service, address and forwarding method.
@frozen
public struct Connection: Equatable, Sendable {
  /// The word as it stands in the table.
  public var word: UInt64

  /// From the table's word.
  @inlinable @inline(__always)
  public init(word: UInt64) { self.word = word }

  /// A connection to `server`, in state 0, last seen at tick 0.
  @inline(__always)
  init(server: UInt16, noOutput: Bool) {
    word = UInt64(server) | (noOutput ? Connection.noOutputBit : 0)
  }

  @inline(__always) static var stateMask: UInt64 { 0xf << UInt64(LB_VALUE_STATE_SHIFT) }
  @inline(__always) static var noOutputBit: UInt64 { 1 << UInt64(LB_VALUE_NO_OUTPUT_SHIFT) }
  @inline(__always) static var controlledBit: UInt64 { 1 << UInt64(LB_VALUE_CONTROLLED_SHIFT) }
  @inline(__always) static var overflowMask: UInt64 { 0x3 << UInt64(LB_VALUE_OVERFLOW_SHIFT) }
  @inline(__always) static var tickField: UInt64 { 0x3ffff << UInt64(LB_VALUE_COARSE_SHIFT) }

  /// A removed entry's state: its slot is about to become free, whoever reads it has found nothing.
  static var deadState: UInt8 { 15 }

  /// The number of no server: of a connection that goes on to where its client wanted (`Bypass`).
  static var bypassServer: UInt16 { .max }

  /// The real server's number.
  @inline(__always)
  public var server: UInt16 { UInt16(truncatingIfNeeded: word) }

  /// FULLNAT: the local port in host byte order.
  @inline(__always)
  public var localPort: UInt16 {
    get { UInt16(truncatingIfNeeded: word >> UInt64(LB_VALUE_LOCAL_PORT_SHIFT)) }
    set {
      word =
        word & ~(0xffff << UInt64(LB_VALUE_LOCAL_PORT_SHIFT)) | UInt64(newValue) << UInt64(LB_VALUE_LOCAL_PORT_SHIFT)
    }
  }

  /// FULLNAT: index into the service's local addresses.
  @inline(__always)
  public var localAddress: Int {
    get { Int(word >> UInt64(LB_VALUE_LOCAL_ADDRESS_SHIFT)) & 0x3f }
    set {
      let shift = UInt64(LB_VALUE_LOCAL_ADDRESS_SHIFT)
      word = word & ~(0x3f << shift) | (UInt64(truncatingIfNeeded: newValue) & 0x3f) << shift
    }
  }

  /// Not FULLNAT: by which mask its template is found (`AddressMask.digest`), in the same place; 0 when it has none.
  @inline(__always)
  var templateMask: UInt8 {
    get { UInt8(truncatingIfNeeded: localAddress) }
    set { localAddress = Int(newValue) }
  }

  /// The protocol's state, in IPVS's numbering.
  @inline(__always)
  public var state: UInt8 {
    get { UInt8(truncatingIfNeeded: word >> UInt64(LB_VALUE_STATE_SHIFT)) & 0xf }
    set { word = word & ~Connection.stateMask | UInt64(newValue & 0xf) << UInt64(LB_VALUE_STATE_SHIFT) }
  }

  /// True until a reply has been seen passing (for DR and TUN normally for good).
  @inline(__always)
  public var noOutput: Bool {
    get { word & Connection.noOutputBit != 0 }
    set { word = newValue ? word | Connection.noOutputBit : word & ~Connection.noOutputBit }
  }

  /// True when a template had a say in it (persistence).
  @inline(__always)
  var isControlled: Bool {
    get { word & Connection.controlledBit != 0 }
    set { word = newValue ? word | Connection.controlledBit : word & ~Connection.controlledBit }
  }

  /// True for an entry that is being removed.
  @inline(__always)
  var isDead: Bool { word & Connection.stateMask == Connection.stateMask }

  /// Stamps the entry with the time of a packet.
  @inline(__always)
  mutating func touch(_ clock: borrowing Clock) {
    word = word & ~Connection.tickField | clock.tick << UInt64(LB_VALUE_TICK_SHIFT)
  }

  /// True when the stamp is already `clock`'s.
  @inline(__always)
  func isStamped(_ clock: borrowing Clock) -> Bool {
    word & Connection.tickField == clock.tick << UInt64(LB_VALUE_TICK_SHIFT)
  }

  /// Ticks (half seconds) since the last packet.
  @inline(__always)
  func idleTicks(_ clock: borrowing Clock) -> UInt64 {
    let stamp = word >> UInt64(LB_VALUE_TICK_SHIFT)
    if word >> UInt64(LB_VALUE_COARSE_SHIFT) & 1 == 0 { return (clock.tick &- stamp) & Clock.tickMask }
    return ((clock.coarseTick &- stamp) & Clock.tickMask) &* Clock.ticksPerCoarseTick
  }

  /// The same moment in 32 s units.
  mutating func coarsen(_ clock: borrowing Clock) {
    let units = (clock.coarseTick &- idleTicks(clock) / Clock.ticksPerCoarseTick) & Clock.tickMask
    word =
      word & ~Connection.tickField | 1 << UInt64(LB_VALUE_COARSE_SHIFT) | units << UInt64(LB_VALUE_TICK_SHIFT)
  }

  /// True for an entry whose stamp is in 32 s units.
  var isCoarse: Bool { word >> UInt64(LB_VALUE_COARSE_SHIFT) & 1 != 0 }
}
