import CShims
import Glibc
import Wire

/// A network interface as the kernel describes it.
public struct Link: Sendable, Hashable {
  /// The VLAN a VLAN interface stands for.
  public struct VLANTag: Sendable, Hashable {
    /// 1 to 4094.
    public let identifier: UInt16
    /// The tag's EtherType: 0x8100 (802.1Q) or 0x88a8 (802.1ad).
    public let protocolNumber: UInt16

    /// A tag by its numbers.
    public init(identifier: UInt16, protocolNumber: UInt16) {
      self.identifier = identifier
      self.protocolNumber = protocolNumber
    }
  }

  /// Where an XDP program runs.
  public enum XDPMode: UInt8, Sendable {
    /// In the driver.
    case native = 1
    /// After the driver, on the kernel's own buffers.
    case generic = 2
    /// In the device.
    case offloaded = 3

    /// The flag that names this mode when a program is attached or detached.
    var attachFlag: UInt32 {
      switch self {
      case .generic: 1 << 1
      case .native: 1 << 2
      case .offloaded: 1 << 3
      }
    }
  }

  /// The interface's number in its namespace.
  public let index: Int32
  /// The interface's name.
  public let name: String
  /// The Ethernet address; nil for links that have none (tunnels).
  public let address: EthernetAddress?
  /// Largest packet without the link header, in bytes.
  public let mtu: Int
  /// Set up by the administrator.
  public let isUp: Bool
  /// The other end is there.
  public let isCarrierUp: Bool
  /// The interface this one sits on (VLAN); nil when there is none in this namespace.
  public let parentIndex: Int32?
  /// The tag of a VLAN interface.
  public let vlan: VLANTag?
  /// The bridge or bond this interface is a port of.
  public let masterIndex: Int32?
  /// `veth`, `vlan`, `bridge`; nil for plain hardware and the loopback.
  public let kind: String?
  /// Number of receive queues.
  public let receiveQueueCount: Int
  /// Number of transmit queues.
  public let transmitQueueCount: Int
  /// The kernel's number of the XDP program on the interface, if there is one.
  public let xdpProgramIdentifier: UInt32?
  /// Where that program runs.
  public let xdpMode: XDPMode?
  /// The loopback interface.
  public let isLoopback: Bool

  /// Reads an RTM_NEWLINK or RTM_DELLINK message.
  /// - Returns: nil for messages that do not describe the interface: a bridge's view of its port (whose removal means
  ///   that the port left the bridge), and wireless events, which hold nothing but a name.
  static func decode(_ message: NetlinkMessage) throws(MalformedNetlinkMessage) -> Link? {
    let header = try message.payload.load(ifinfomsg.self)
    let attributes = try message.attributes(after: ifinfomsg.self)
    guard Int32(header.ifi_family) == AF_UNSPEC, attributes[Int(IFLA_MTU)] != nil else { return nil }
    return try Link(header: header, attributes: attributes)
  }

  private init(header: ifinfomsg, attributes: NetlinkAttributes) throws(MalformedNetlinkMessage) {
    index = header.ifi_index
    isUp = header.ifi_flags & LBD_INTERFACE_UP != 0
    isCarrierUp = header.ifi_flags & LBD_INTERFACE_CARRIER != 0
    isLoopback = header.ifi_flags & LBD_INTERFACE_LOOPBACK != 0
    guard index > 0, let name = attributes[Int(IFLA_IFNAME)] else { throw MalformedNetlinkMessage() }
    self.name = name.text
    address = attributes[Int(IFLA_ADDRESS)].flatMap { EthernetAddress(bytes: $0) }
    mtu = Int(try attributes[Int(IFLA_MTU)]?.load(UInt32.self) ?? 0)
    masterIndex = try Link.index(attributes[Int(IFLA_MASTER)])
    // The number of an interface in another namespace means nothing in this one (the other end of a veth pair).
    let isForeign = attributes[Int(IFLA_LINK_NETNSID)] != nil
    parentIndex = isForeign ? nil : try Link.index(attributes[Int(IFLA_LINK)])
    receiveQueueCount = Int(try attributes[Int(IFLA_NUM_RX_QUEUES)]?.load(UInt32.self) ?? 1)
    transmitQueueCount = Int(try attributes[Int(IFLA_NUM_TX_QUEUES)]?.load(UInt32.self) ?? 1)
    let information = try attributes.nested(Int(IFLA_LINKINFO))
    kind = information?[Int(IFLA_INFO_KIND)]?.text
    vlan = kind == "vlan" ? try information.flatMap(Link.tag) : nil
    let xdp = try attributes.nested(Int(IFLA_XDP))
    let number = try xdp?[Int(IFLA_XDP_PROG_ID)]?.load(UInt32.self) ?? 0
    let mode = try xdp?[Int(IFLA_XDP_ATTACHED)]?.load(UInt8.self)
    xdpMode = mode.flatMap(XDPMode.init)
    xdpProgramIdentifier = number == 0 ? nil : number
  }

  private static func index(_ value: ArraySlice<UInt8>?) throws(MalformedNetlinkMessage) -> Int32? {
    guard let number = try value?.load(Int32.self), number > 0 else { return nil }
    return number
  }

  private static func tag(_ information: NetlinkAttributes) throws(MalformedNetlinkMessage) -> VLANTag? {
    guard let data = try information.nested(Int(IFLA_INFO_DATA)),
      let identifier = try data[Int(IFLA_VLAN_ID)]?.load(UInt16.self)
    else { return nil }
    let protocolNumber = try data[Int(IFLA_VLAN_PROTOCOL)]?.load(UInt16.self)
    return VLANTag(identifier: identifier, protocolNumber: protocolNumber.map(UInt16.init(bigEndian:)) ?? 0x8100)
  }
}
