/// Up to eight ports that a helper is for, as the parameter `ports` of the kernel's modules has them. No pointer, so that
/// it goes into a snapshot as it is.
public struct HelperPorts: Sendable, Equatable {
  /// How many there can be.
  public static var capacity: Int { 8 }

  /// 0 where there is none.
  private var ports = SIMD8<UInt16>()

  /// The ports of a list, the first eight of them; 0 stands for none.
  public init(_ list: [UInt16] = []) {
    for (place, port) in list.filter({ $0 != 0 }).prefix(HelperPorts.capacity).enumerated() { ports[place] = port }
  }

  /// True when the helper is off.
  public var isEmpty: Bool { ports == SIMD8() }

  /// True when the helper is for connections to this port.
  @inline(__always)
  public func contains(_ port: UInt16) -> Bool { port != 0 && any(ports .== port) }
}
