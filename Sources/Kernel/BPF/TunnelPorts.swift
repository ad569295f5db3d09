import CShims

/// `lb_tunnel_ports` of the real server's object: the UDP ports that GUE comes to.
public struct TunnelPorts: Sendable {
  private let map: BPFMapOf<UInt16, UInt8>

  /// A view of `map`; must not be used after the object is gone.
  public init(_ map: BPFMap) {
    self.map = BPFMapOf(map)
  }

  /// Adds a port.
  public func insert(_ port: UInt16) throws { try map.update(port.bigEndian, 1) }
}
