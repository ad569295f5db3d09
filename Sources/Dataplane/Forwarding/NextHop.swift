import Wire

/// Where a frame goes when it leaves: the port, both MAC addresses, the VLAN tag, and the largest packet.
///
/// Next hops are resolved by control ahead of traffic, from the kernel's routes and neighbours, and lie in the snapshot;
/// a packet carries only an index. An unresolved one is a next hop too, with a state that says why, so that a server
/// whose neighbour does not answer is an outcome with a name and not a stall.
@frozen
public struct NextHop: Sendable, Equatable {
  /// What can be done with it.
  public enum State: UInt8, Sendable {
    /// No route leads there.
    case unreachable
    /// There is a route, but the neighbour's MAC address is not known (yet).
    case unresolved
    /// Frames can be sent.
    case resolved
    /// The address is this host's own.
    case local
  }

  /// The first eight bytes of the Ethernet header as they stand in memory: destination, start of the source.
  private var first: UInt64
  /// The source in the first six bytes; the type comes behind it.
  private var sourceBytes: UInt64
  /// VLAN tag control information; 0 for untagged.
  public var vlan: UInt16
  /// Largest IP packet in bytes.
  public var mtu: UInt16
  /// Index of the interface among the dataplane's interfaces.
  public var interface: UInt8
  /// Whether frames can be sent.
  public var state: State
  /// Keeps the stride a power of two.
  private var padding: UInt64 = 0

  /// A next hop that frames can be sent to.
  public init(destination: EthernetAddress, source: EthernetAddress, interface: UInt8, mtu: Int, vlan: UInt16 = 0) {
    first = (destination.number << 16 | source.number >> 32).bigEndian
    sourceBytes = (source.number << 16).bigEndian
    self.vlan = vlan
    self.mtu = UInt16(clamping: mtu)
    self.interface = interface
    state = .resolved
  }

  /// A next hop that frames cannot be sent to.
  public init(_ state: State) {
    first = 0
    sourceBytes = 0
    vlan = 0
    mtu = state == .local ? .max : 0
    interface = state == .local ? Batch.hostEgress : 0
    self.state = state
  }

  /// Destination MAC address, most significant byte first on the wire.
  public var destination: UInt64 { first.bigEndian >> 16 }

  /// The port's own MAC address.
  public var source: UInt64 { sourceBytes.bigEndian >> 16 }

  /// Bytes of the Ethernet header in front of the packet.
  @inline(__always)
  var headerByteCount: Int { vlan == 0 ? 14 : 18 }

  /// EtherType as it stands in memory, where `writeHeader` takes it: above the six bytes of the source.
  @inline(__always)
  static func type(isIPv6: Bool) -> UInt64 {
    isIPv6 ? UInt64(EtherType.ipv6.bigEndian) << 48 : UInt64(EtherType.ipv4.bigEndian) << 48
  }

  /// Writes the Ethernet header: destination, source, tag if there is one, type.
  @inline(__always)
  func writeHeader(_ frame: UnsafeMutableRawPointer, type: UInt64) {
    frame.storeBytes(of: first, as: UInt64.self)
    // The two words overlap where the source begins.
    frame.storeBytes(of: sourceBytes | type, toByteOffset: 6, as: UInt64.self)
    if vlan != 0 {
      frame.storeBigEndian32(UInt32(EtherType.vlan) << 16 | UInt32(vlan), at: 12)
      frame.storeBytes(of: UInt16(truncatingIfNeeded: type >> 48), toByteOffset: 16, as: UInt16.self)
    }
  }
}

/// An interface as workers see it.
struct InterfaceRecord {
  var address: UInt64
  var ipv4: UInt32
  var ipv6High: UInt64
  var ipv6Low: UInt64
}
