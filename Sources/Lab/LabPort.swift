import Glibc
import Kernel
import Wire

/// BPF programs on a veth of the lab, attached from inside its namespace by a short-lived process of our own.
///
/// They have to outlive that process: tc filters and XDP programs stay until their interface goes, which is with the
/// namespace.
public enum LabPort: Sendable, Equatable {
  /// XDP_PASS: frames that the other end sends by XDP_TX or XDP_REDIRECT come out only if there is a program here.
  case pass
  /// The switch's port of a server in a VLAN.
  case access(vlan: UInt32)
  /// The director's port: its kernel's frames to these prefixes are tagged.
  case trunk(vlan: UInt32, prefixes: [IPPrefix])

  // Behind the director's own programs, which must see the tag.
  private static let trunkPriority: UInt32 = 100

  /// Attaches what the role needs to an interface of this namespace.
  public func prepare(interface: String) throws {
    let index = if_nametoindex(interface)
    guard index != 0 else { throw LabFailure("no interface \(interface)") }
    let object = try BPFObject.lab()
    switch self {
    case .pass:
      let program = try object.programDescriptor("lab_pass")
      try XDPAttachment(interfaceIndex: index, interfaceName: interface, program: program, mode: .native)
        .leaveAttached()
    case .access(let vlan):
      try BPFMapOf<UInt32, UInt32>(object.map("lab_vlan")).update(0, vlan)
      try attach("lab_vlan_push", .ingress, index, interface, object)
      try attach("lab_vlan_pop", .egress, index, interface, object)
    case .trunk(let vlan, let prefixes):
      try BPFMapOf<UInt32, UInt32>(object.map("lab_vlan")).update(0, vlan)
      let tagged = AddressMap(try object.map("lab_prefix"))
      for prefix in prefixes { try tagged.insert(prefix) }
      try attach("lab_vlan_push_prefix", .egress, index, interface, object, LabPort.trunkPriority)
      try attach("lab_vlan_pop", .ingress, index, interface, object, LabPort.trunkPriority)
    }
  }

  private func attach(
    _ name: String, _ direction: TrafficControlAttachment.Direction, _ index: UInt32, _ interface: String,
    _ object: borrowing BPFObject, _ priority: UInt32 = 1
  ) throws {
    let attachment = try TrafficControlAttachment(
      interfaceIndex: index, interfaceName: interface, program: object.programDescriptor(name), direction: direction,
      priority: priority)
    // Never deinitialised, and so never detached.
    UnsafeMutablePointer<TrafficControlAttachment>.allocate(capacity: 1).initialize(to: attachment)
  }
}
