import CShims
import Glibc

/// A tc program on an interface's clsact hook.
///
/// Filters are known by handle and priority, which are fixed here: what an lbd that was killed has left behind is found
/// in our place and replaced. A program with another name in that place is somebody else's and is not touched.
public struct TrafficControlAttachment: ~Copyable {
  /// Which way frames go.
  public enum Direction: Sendable {
    /// Received by the interface; runs after packet sockets have had their copy.
    case ingress
    /// Sent by the interface.
    case egress
  }

  /// The interface.
  public let interfaceIndex: UInt32
  /// The interface's name, for messages.
  public let interfaceName: String
  /// Which way frames go.
  public let direction: Direction
  /// The filter's priority: lower ones run first.
  public let priority: UInt32
  private let programID: UInt32
  private let createdHook: Bool

  private static let handle: UInt32 = 1

  /// Attaches `program`, in place of a program of the same name at this priority if there is one.
  public init(
    interfaceIndex: UInt32, interfaceName: String, program: Int32, direction: Direction, priority: UInt32 = 1
  ) throws {
    let (id, name) = try AttachedProgram.identity(of: program)
    let step = "attach tc program \(name) to \(interfaceName) \(direction)"
    let index = Int32(interfaceIndex)
    let (hook, hookText) = BPFLog.capture { lbd_tc_create_hook(index) }
    guard hook == 0 || hook == -EEXIST else {
      let remedy = hook == -EPERM ? "needs CAP_NET_ADMIN, or root" : BPFLog.kernelMessage(in: hookText)
      throw SystemError("create clsact qdisc on \(interfaceName)", errno: hook, remedy: remedy)
    }

    let present = TrafficControlAttachment.programID(index, direction, priority)
    if present != 0 {
      let attached = try AttachedProgram(id: present, interfaceName: interfaceName)
      guard attached.name == name else {
        throw SystemError(
          step, errno: EBUSY,
          remedy: "another tc program (id \(present), \(attached.name)) has priority \(priority); "
            + "remove it with `tc filter del dev \(interfaceName) \(direction) prio \(priority)`")
      }
    }
    let (result, text) = BPFLog.capture {
      lbd_tc_attach(index, direction == .egress, program, TrafficControlAttachment.handle, priority)
    }
    guard result == 0 else {
      if hook == 0 { _ = BPFLog.capture { lbd_tc_destroy_hook(index) } }
      throw SystemError(step, errno: result, remedy: BPFLog.kernelMessage(in: text))
    }
    self.interfaceIndex = interfaceIndex
    self.interfaceName = interfaceName
    self.direction = direction
    self.priority = priority
    programID = id
    createdHook = hook == 0
  }

  deinit {
    let index = Int32(interfaceIndex)
    // Whoever has replaced our filter since keeps it.
    guard TrafficControlAttachment.programID(index, direction, priority) == programID else { return }
    _ = BPFLog.capture {
      lbd_tc_detach(index, direction == .egress, TrafficControlAttachment.handle, priority)
    }
    // The qdisc carries both directions: one attachment must not take the other's filter away.
    let other: Direction = direction == .ingress ? .egress : .ingress
    guard createdHook, TrafficControlAttachment.programID(index, other, priority) == 0 else { return }
    _ = BPFLog.capture { lbd_tc_destroy_hook(index) }
  }

  /// Removes the filter, and the clsact qdisc if this attachment had to create it.
  public consuming func detach() {}

  /// The id of the program in our place; 0 for none.
  private static func programID(_ index: Int32, _ direction: Direction, _ priority: UInt32) -> UInt32 {
    var id: UInt32 = 0
    let (result, _) = BPFLog.capture { lbd_tc_query(index, direction == .egress, handle, priority, &id) }
    return result == 0 ? id : 0
  }
}
