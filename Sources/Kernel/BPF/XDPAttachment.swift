import CShims
import Glibc

/// Where in the receive path an XDP program runs.
public enum XDPMode: Sendable {
  /// In the driver, before a socket buffer exists.
  case native
  /// In the kernel's general receive path, for drivers without XDP. Slower, and the sender may merge frames.
  case generic

  var flag: UInt32 { self == .native ? UInt32(XDP_FLAGS_DRV_MODE) : UInt32(XDP_FLAGS_SKB_MODE) }
}

/// An XDP program on an interface.
///
/// Attached by netlink, not by a link descriptor, on purpose: when lbd dies without a word the program stays, and drops
/// the frames of live connections that the host's own stack would answer with resets. The next lbd knows the program
/// by its name and replaces it, in one step if the mode is the same. A program with another name is somebody else's: it
/// is never touched.
public struct XDPAttachment: ~Copyable {
  /// The interface.
  public let interfaceIndex: UInt32
  /// The interface's name, for messages.
  public let interfaceName: String
  /// Where the program runs.
  public let mode: XDPMode
  // A descriptor of our own: detaching names the program, and its object may be gone by then.
  private let program: FileDescriptor
  private var isLeft = false

  /// Attaches `program`, in place of a program of the same name if there is one.
  public init(interfaceIndex: UInt32, interfaceName: String, program: Int32, mode: XDPMode) throws {
    let hook = try XDPHook(interfaceIndex: interfaceIndex, interfaceName: interfaceName, program: program)
    let own = try FileDescriptor(checking: fcntl(program, F_DUPFD_CLOEXEC, 0), hook.step)
    try hook.attach(own.number, mode: mode)
    self.interfaceIndex = interfaceIndex
    self.interfaceName = interfaceName
    self.mode = mode
    self.program = own
  }

  deinit {
    guard !isLeft else { return }
    XDPHook.detach(program.number, from: interfaceIndex, mode: mode)
  }

  /// Detaches the program, unless another one has taken its place.
  public consuming func detach() {}

  /// Leaves the program attached, for a successor that will replace it.
  public consuming func leaveAttached() {
    isLeft = true
  }
}

/// An interface's XDP hook on the way to an attachment: what is there already, and what the kernel's refusals mean.
private struct XDPHook {
  let interfaceIndex: UInt32
  let interfaceName: String
  let programName: String
  let step: String

  init(interfaceIndex: UInt32, interfaceName: String, program: Int32) throws {
    self.interfaceIndex = interfaceIndex
    self.interfaceName = interfaceName
    programName = try AttachedProgram.name(of: program)
    step = "attach XDP program \(programName) to \(interfaceName)"
  }

  func attach(_ program: Int32, mode: XDPMode) throws {
    var present = lbd_xdp_programs()
    let (result, _) = BPFLog.capture { lbd_xdp_query(Int32(interfaceIndex), &present) }
    guard result == 0 else { throw SystemError("ask which XDP program \(interfaceName) has", errno: result) }
    if present.offloaded != 0 {
      throw foreign(id: present.offloaded, name: "on the hardware", keyword: "xdpoffload")
    }
    let native = try ownDescriptor(of: present.native, keyword: "xdp")
    let generic = try ownDescriptor(of: present.generic, keyword: "xdpgeneric")
    defer {
      if native >= 0 { close(native) }
      if generic >= 0 { close(generic) }
    }
    // The kernel has no two modes at once on an interface.
    let stale = mode == .native ? generic : native
    if stale >= 0 { XDPHook.detach(stale, from: interfaceIndex, mode: mode == .native ? .generic : .native) }
    try attach(program, mode: mode, replacing: mode == .native ? native : generic)
  }

  /// `old` is a descriptor, or -1 to attach only where nothing is.
  private func attach(_ program: Int32, mode: XDPMode, replacing old: Int32) throws {
    let flags = mode.flag | (old < 0 ? UInt32(XDP_FLAGS_UPDATE_IF_NOEXIST) : 0)
    let (result, text) = BPFLog.capture { lbd_xdp_attach(Int32(interfaceIndex), program, flags, old) }
    guard result != 0 else { return }
    throw SystemError(step, errno: result, remedy: remedy(for: -result, mode: mode, text: text))
  }

  static func detach(_ program: Int32, from interfaceIndex: UInt32, mode: XDPMode) {
    // Refused when another program has taken the place since, which is just what is wanted.
    _ = BPFLog.capture { lbd_xdp_attach(Int32(interfaceIndex), -1, mode.flag, program) }
  }

  /// A descriptor of an earlier program of ours with this id, or -1 for none; it is the caller's to close.
  private func ownDescriptor(of id: UInt32, keyword: String) throws -> Int32 {
    guard id != 0 else { return -1 }
    let attached = try AttachedProgram(id: id, interfaceName: interfaceName)
    guard isOurs(attached.name) else { throw foreign(id: id, name: attached.name, keyword: keyword) }
    return attached.takeDescriptor()
  }

  /// The director's program has a second form for jumbo frames; they replace each other.
  private func isOurs(_ name: String) -> Bool {
    let family = "lb_director"
    return name == programName || (name.hasPrefix(family) && programName.hasPrefix(family))
  }

  private func foreign(id: UInt32, name: String, keyword: String) -> SystemError {
    SystemError(
      step, errno: EBUSY,
      remedy: "another XDP program (id \(id), \(name)) is attached to \(interfaceName); "
        + "detach it with `ip link set dev \(interfaceName) \(keyword) off`")
  }

  private func remedy(for number: Int32, mode: XDPMode, text: String) -> String? {
    let message = BPFLog.kernelMessage(in: text)
    let mtu = lbd_interface_mtu(interfaceName)
    // veth says ERANGE and means its peer; most drivers say EINVAL, some EOPNOTSUPP with a message.
    let isAboutMTU = number == ERANGE || message?.contains("MTU") == true || (number == EINVAL && mtu > 1500)
    if isAboutMTU && mode == .native {
      let kernel = message.map { "; the kernel says: \($0)" } ?? ""
      return "MTU \(mtu) (or the peer's) is larger than XDP on this driver takes; set it to at most "
        + "\(XDPHook.singlePageMTU) or use --port packet\(kernel)"
    }
    switch number {
    case EPERM: return "needs CAP_NET_ADMIN and CAP_BPF, or root"
    case EOPNOTSUPP: return "the driver has no native XDP; use generic mode or --port packet"
    case EBUSY, EEXIST: return message ?? "another XDP program was attached at the same moment"
    default: return message
    }
  }

  /// What fits a page beside the headroom (256), the kernel's end-of-buffer structure (320), an Ethernet header and two
  /// VLAN tags. Drivers differ by some bytes; few take less.
  private static var singlePageMTU: Int { Int(getpagesize()) - 256 - 320 - 22 }
}
