import CShims
import Wire

/// A map keyed by addresses or by prefixes whose values say nothing: a set.
///
/// `lb_tunnel_endpoints` of the real server's object takes addresses, `lab_prefix` of the laboratory's takes prefixes.
public struct AddressMap: Sendable {
  private let map: BPFMap

  /// A view of `map`; must not be used after the object is gone.
  public init(_ map: BPFMap) {
    precondition(map.valueByteCount == 1, "\(map.name) is not a set")
    self.map = map
  }

  /// Adds an address.
  public func insert(_ address: IPAddress) throws {
    try BPFMapOf<lb_address, UInt8>(map).update(lb_address(address), 1)
  }

  /// Removes an address.
  public func remove(_ address: IPAddress) throws {
    try BPFMapOf<lb_address, UInt8>(map).delete(lb_address(address))
  }

  /// Adds a prefix.
  public func insert(_ prefix: IPPrefix) throws {
    try BPFMapOf<lb_prefix, UInt8>(map).update(lb_prefix(prefix), 1)
  }

  /// Removes a prefix.
  public func remove(_ prefix: IPPrefix) throws {
    try BPFMapOf<lb_prefix, UInt8>(map).delete(lb_prefix(prefix))
  }
}

extension lb_address {
  init(_ address: IPAddress) {
    self.init()
    withUnsafeMutableBytes(of: &words) { bytes in
      bytes.storeBytes(of: address.high.bigEndian, as: UInt64.self)
      bytes.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
    }
  }
}

extension lb_prefix {
  init(_ prefix: IPPrefix) {
    let isIPv4 = prefix.address.family == .ipv4
    self.init(bit_count: UInt32(prefix.length + (isIPv4 ? 96 : 0)), address: lb_address(prefix.address))
  }
}
