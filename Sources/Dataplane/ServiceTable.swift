import CShims
import Scheduler
import Wire

/// A virtual service as workers see it.
struct ServiceRecord {
  /// The VIP; IPv4 in the low 32 bits of `low`.
  var addressHigh: UInt64
  var addressLow: UInt64
  var port: UInt16
  var protocolNumber: UInt8
  var isIPv6: Bool
  /// Number of its VIP:port, the near end in keys of requests.
  var endpoint: UInt16
  /// False when the service has been deleted and only its connections remain.
  var isActive: Bool
  var scheduler: Scheduler
  var schedulerFlags: SchedulerFlags
  var servers: RealServerSet
  /// FULLNAT: local addresses (two words each, as in `IPAddress`), stable for the life of a connection.
  var localAddresses: UnsafePointer<LocalAddress>?
  var localAddressCount: Int
  var localPortFirst: UInt16
  var localPortLast: UInt16
}

/// A FULLNAT local address.
struct LocalAddress {
  var high: UInt64
  var low: UInt64
  /// False when it has been taken out of the group and only serves connections that have it.
  var isActive: Bool
}

/// How packets reach a real server.
public enum Forwarding: UInt8, Sendable {
  case directRouting
  case masquerading
  case tunnelling
  case fullNAT
}

/// A real server of one service as workers see it.
struct ServerRecord {
  var addressHigh: UInt64
  var addressLow: UInt64
  /// Source address of tunnel packets to it.
  var tunnelSourceHigh: UInt64
  var tunnelSourceLow: UInt64
  var nextHop: UInt32
  var port: UInt16
  var service: UInt16
  /// Number of its address:port, the near end in keys of replies.
  var endpoint: UInt16
  var method: Forwarding
  var isIPv6: Bool
  /// False when it has been removed and only its connections remain.
  var isAvailable: Bool
  var upperThreshold: UInt32
  var lowerThreshold: UInt32
}

/// What an endpoint number stands for.
struct EndpointRecord {
  enum Kind: UInt8 {
    case none
    /// A service's VIP:port; `index` is the service.
    case service
    /// A real server's address:port.
    case server
  }
  var kind: Kind
  var index: UInt16
}

/// The hot table that turns (address, protocol, port) into an endpoint number: a few kilobytes that stay in L1.
///
/// Open addressing at a quarter full, one table a family; it lies in the snapshot and never changes.
struct EndpointTable {
  /// Which end of the packet is looked up.
  enum Side: UInt64 {
    case destination = 1
    case source = 2
  }

  struct Entry {
    var high: UInt64 = 0
    var low: UInt64 = 0
    /// Port, protocol and side; 0 = empty.
    var tag: UInt64 = 0
    var endpoint: UInt16 = 0
  }

  let entries: UnsafeMutablePointer<Entry>
  let mask: Int

  @inline(__always)
  static func tag(port: UInt16, protocolNumber: UInt8, side: Side) -> UInt64 {
    UInt64(port) << 16 | UInt64(protocolNumber) << 8 | side.rawValue
  }

  @inline(__always)
  func position(high: UInt64, low: UInt64, tag: UInt64) -> Int {
    var mixed = (low ^ high &* 0x9e37_79b9_7f4a_7c15) &+ tag &* 0xd6e8_feb8_6659_fd93
    mixed = (mixed ^ mixed >> 32) &* 0x9e37_79b9_7f4a_7c15
    return Int(truncatingIfNeeded: mixed >> 40) & mask
  }

  /// The endpoint's number, or 0.
  @inline(__always)
  func find(high: UInt64, low: UInt64, tag: UInt64) -> UInt16 {
    var index = position(high: high, low: low, tag: tag)
    while true {
      let entry = entries + index
      if entry.pointee.tag == tag && entry.pointee.low == low && entry.pointee.high == high {
        return entry.pointee.endpoint
      }
      if entry.pointee.tag == 0 { return 0 }
      index = (index &+ 1) & mask
    }
  }

  func insert(_ address: IPAddress, tag: UInt64, endpoint: UInt16) {
    let low = address.family == .ipv4 ? UInt64(address.v4) : address.low
    var index = position(high: address.high, low: low, tag: tag)
    while entries[index].tag != 0 { index = (index + 1) & mask }
    entries[index] = Entry(high: address.high, low: low, tag: tag, endpoint: endpoint)
  }
}
