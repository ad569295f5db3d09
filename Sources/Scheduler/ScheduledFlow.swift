/// What a scheduler may look at in the packet that opens a connection.
///
/// For an ICMP error that is scheduled by the packet inside it, the client is that packet's destination.
@frozen
public struct ScheduledFlow: Sendable {
  /// The client's address, folded (`AddressFold`).
  public var clientFold: UInt32
  /// The packet's destination address, folded: the virtual address, or any address under a firewall mark.
  public var destinationFold: UInt32
  /// The client's port in host order; 0 for protocols without ports.
  public var clientPort: UInt16
  /// The packet's destination address as two words, IPv4 in the lower half of the second.
  public var destinationHigh: UInt64
  /// See `destinationHigh`.
  public var destinationLow: UInt64
  /// The time, in seconds of any clock that does not go back.
  public var seconds: UInt32

  /// A flow by its addresses, the client's port and the time.
  @inlinable @inline(__always)
  public init(
    clientFold: UInt32, destinationFold: UInt32 = 0, clientPort: UInt16 = 0, destinationHigh: UInt64 = 0,
    destinationLow: UInt64 = 0, seconds: UInt32 = 0
  ) {
    self.clientFold = clientFold
    self.destinationFold = destinationFold
    self.clientPort = clientPort
    self.destinationHigh = destinationHigh
    self.destinationLow = destinationLow
    self.seconds = seconds
  }
}

/// The three scheduler flags of a service; what they mean is the scheduler's affair.
@frozen
public struct SchedulerFlags: OptionSet, Hashable, Sendable {
  /// The flags as bits, flag 1 lowest.
  public let rawValue: UInt8

  /// Flags from bits.
  @inlinable
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Flag 1, `sh-fallback` and `mh-fallback`: look for another server when the hashed one is not eligible.
  @inlinable
  public static var fallback: SchedulerFlags { SchedulerFlags(rawValue: 1) }
  /// Flag 2, `sh-port` and `mh-port`: hash the client's port too.
  @inlinable
  public static var port: SchedulerFlags { SchedulerFlags(rawValue: 2) }
  /// Flag 3, without a meaning so far.
  @inlinable
  public static var flag3: SchedulerFlags { SchedulerFlags(rawValue: 4) }
}
