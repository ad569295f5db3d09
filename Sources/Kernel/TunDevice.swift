import CShims
import Glibc

/// A TUN device, used one way: packets written to it arrive in the host's stack.
///
/// It is how a packet goes back to the kernel that was taken off the wire and turns out not to be ours: the kernel sees
/// it come in on this interface and routes or delivers it. Reverse path filtering must not judge such packets, since
/// their source does not lie behind this interface: it is turned off for the device. The kernel applies the stricter
/// of this setting and `net.ipv4.conf.all.rp_filter`; `isFilteredByDefault` tells when the latter would drop them.
public struct TunDevice: ~Copyable, Sendable {
  /// The interface's name.
  public let name: String
  /// The interface's index.
  public let index: UInt32
  /// Whether the host's reverse path filter for all interfaces is strict, so that it drops what is written here.
  public let isFilteredByDefault: Bool

  private let file: FileDescriptor

  /// Makes the device `name` in the caller's network namespace and sets it up. It goes when its owner goes.
  public init(name: String) throws {
    let step = "create TUN device \(name)"
    let file = try FileDescriptor(
      checking: open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), step,
      remedy: "is the tun module loaded and /dev/net/tun present?")
    let error = lbd_tun_attach(file.number, name)
    guard error == 0 else {
      let remedies = [EPERM: "needs CAP_NET_ADMIN", EBUSY: "a device of this name is in use"]
      throw SystemError(step, errno: error, remedy: remedies[error])
    }
    // Before the interface comes up: no address of its own, so nothing is ever announced through it.
    _ = KernelFile.write("/proc/sys/net/ipv6/conf/\(name)/addr_gen_mode", "1")
    let filterError = KernelFile.write("/proc/sys/net/ipv4/conf/\(name)/rp_filter", "0")
    guard filterError == 0 else {
      throw SystemError("turn off the reverse path filter of \(name)", errno: filterError)
    }
    let socket = try FileDescriptor(
      checking: Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0), step)
    let upError = lbd_interface_set_up(socket.number, name)
    guard upError == 0 else { throw SystemError("set \(name) up", errno: upError) }
    let index = if_nametoindex(name)
    guard index != 0 else { throw SystemError.current(step) }
    self.name = name
    self.index = index
    isFilteredByDefault = KernelFile.read("/proc/sys/net/ipv4/conf/all/rp_filter") == "1"
    self.file = file
  }

  /// The device's descriptor.
  public var descriptor: Int32 { file.number }

  /// Hands one IP packet (no Ethernet header) to the host's stack.
  /// - Returns: whether the kernel took it; false also when its queue is full.
  public func write(_ packet: UnsafeRawPointer, byteCount: Int) -> Bool {
    Glibc.write(file.number, packet, byteCount) == byteCount
  }
}
