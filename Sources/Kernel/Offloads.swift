import CShims
import Glibc

/// An interface's offloads, as far as they decide what a packet looks like when it gets here.
///
/// Generic and large receive offload merge packets into larger ones, which a forwarder must not do; they are turned off
/// while lbd owns the interface and put back afterwards. Transmit checksums and segmentation are only read: they say
/// whether frames from a neighbour on the same host arrive unfinished.
public struct Offloads: Sendable, Equatable {
  /// Generic receive offload (merging in software).
  public var mergesOnReceive: Bool
  /// Large receive offload (merging in the device).
  public var mergesInHardware: Bool
  /// Whether the device, not the stack, computes checksums of what the host sends.
  public var checksumsOnTransmit: Bool
  /// Whether the device, not the stack, cuts what the host sends into packets.
  public var segmentsOnTransmit: Bool

  /// What `disableMerging` changed, to be said in the log and undone at the end.
  public struct Change: Sendable, Equatable, CustomStringConvertible {
    /// The interface's name.
    public let interface: String
    /// GRO was on and is now off.
    public let generic: Bool
    /// LRO was on and is now off.
    public let large: Bool

    /// Nothing was changed.
    public var isEmpty: Bool { !generic && !large }

    /// `turned off GRO and LRO of eth1`.
    public var description: String {
      let names = [generic ? "GRO" : nil, large ? "LRO" : nil].compactMap { $0 }
      return names.isEmpty
        ? "left the offloads of \(interface) alone" : "turned off \(names.joined(separator: " and ")) of \(interface)"
    }

    /// Puts back what was changed.
    public func undo() throws {
      let port = try EthtoolPort(interface)
      if generic { try port.set(EthtoolPort.setGRO, 1, "turn on GRO") }
      if large {
        let flags = try port.get(EthtoolPort.getFlags, "read offloads")
        try port.set(EthtoolPort.setFlags, flags | EthtoolPort.flagLRO, "turn on LRO")
      }
    }
  }

  /// Reads the offloads of `interface`. An offload that the device does not know reads as off.
  public init(reading interface: String) throws {
    let port = try EthtoolPort(interface)
    mergesOnReceive = try port.get(EthtoolPort.getGRO, "read offloads") != 0
    mergesInHardware = try port.get(EthtoolPort.getFlags, "read offloads") & EthtoolPort.flagLRO != 0
    checksumsOnTransmit = try port.get(EthtoolPort.getTXChecksum, "read offloads") != 0
    segmentsOnTransmit = try port.get(EthtoolPort.getTSO, "read offloads") != 0
  }

  /// Turns GRO and LRO of `interface` off where they are on.
  public static func disableMerging(of interface: String) throws -> Change {
    let port = try EthtoolPort(interface)
    let before = try Offloads(reading: interface)
    if before.mergesInHardware {
      let flags = try port.get(EthtoolPort.getFlags, "read offloads")
      try port.set(EthtoolPort.setFlags, flags & ~EthtoolPort.flagLRO, "turn off LRO")
    }
    if before.mergesOnReceive { try port.set(EthtoolPort.setGRO, 0, "turn off GRO") }
    return Change(interface: interface, generic: before.mergesOnReceive, large: before.mergesInHardware)
  }
}

/// One interface's ethtool commands with a 32-bit value (linux/ethtool.h).
private struct EthtoolPort: ~Copyable {
  static let getTXChecksum: UInt32 = 0x16
  static let getTSO: UInt32 = 0x1e
  static let getFlags: UInt32 = 0x25
  static let setFlags: UInt32 = 0x26
  static let getGRO: UInt32 = 0x2b
  static let setGRO: UInt32 = 0x2c
  static let flagLRO: UInt32 = 1 << 15

  let socket: FileDescriptor
  let interface: String

  init(_ interface: String) throws {
    socket = try FileDescriptor(
      checking: Glibc.socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0),
      "read offloads of \(interface)")
    self.interface = interface
  }

  func get(_ command: UInt32, _ verb: String) throws -> UInt32 {
    var value: UInt32 = 0
    let error = lbd_ethtool_value(socket.number, interface, command, &value)
    if error == EOPNOTSUPP { return 0 }
    guard error == 0 else { throw SystemError("\(verb) of \(interface)", errno: error) }
    return value
  }

  func set(_ command: UInt32, _ value: UInt32, _ verb: String) throws {
    var value = value
    let error = lbd_ethtool_value(socket.number, interface, command, &value)
    guard error == 0 else {
      throw SystemError(
        "\(verb) of \(interface)", errno: error, remedy: error == EPERM ? "needs CAP_NET_ADMIN" : nil)
    }
  }
}
