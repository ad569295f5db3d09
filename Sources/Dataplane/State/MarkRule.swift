import Wire

extension SnapshotDescription {
  /// Something a packet must or must not have.
  public struct Condition<Value: Sendable & Equatable>: Sendable, Equatable {
    /// What it is compared with.
    public var value: Value
    /// True when it must not be so.
    public var isNegated: Bool

    /// A condition.
    public init(_ value: Value, isNegated: Bool = false) {
      self.value = value
      self.isNegated = isNegated
    }
  }

  /// A rule for firewall marks: packets that meet all its conditions have bits of their mark cleared, and others flipped.
  public struct MarkRule: Sendable, Equatable {
    /// Those of one family only.
    public var family: IPAddress.Family?
    /// By what they came in: `Dataplane.markInterface`. An empty list is an interface that is not there.
    public var interfaces: Condition<[UInt32]>?
    /// Where they come from.
    public var source: Condition<IPPrefix>?
    /// Where they go.
    public var destination: Condition<IPPrefix>?
    /// The IP protocol; 0 is any.
    public var protocolNumber: Condition<UInt8>?
    /// An empty list is no condition.
    public var sourcePorts: Condition<[ClosedRange<UInt16>]>?
    /// An empty list is no condition.
    public var destinationPorts: Condition<[ClosedRange<UInt16>]>?
    /// Bits that are cleared.
    public var clear: UInt32
    /// Bits that are then flipped.
    public var flip: UInt32

    /// A rule that all packets meet.
    public init(clear: UInt32 = .max, flip: UInt32) {
      self.clear = clear
      self.flip = flip
    }
  }

  /// Rules beyond these are not looked at; whoever writes them has to say so.
  public static var markRuleCapacity: Int { MarkRules.capacity }
}

extension Dataplane {
  /// What rules call an interface: the dataplane's port, and the VLAN on it, 0 for none.
  public static func markInterface(port: Int, vlan: UInt16) -> UInt32 {
    MarkRules.interface(port: UInt16(truncatingIfNeeded: port), vlan: vlan)
  }
}
