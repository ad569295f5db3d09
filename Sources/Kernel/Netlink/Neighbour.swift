import CShims
import Glibc
import Wire

/// What the kernel knows about a host on a link (RFC 4861 section 7.3.2; ARP entries have the same states).
public struct Neighbour: Sendable, Hashable {
  /// How sure the kernel is of the link address.
  public enum State: UInt16, Sendable {
    /// Nothing was asked yet.
    case none = 0
    /// Asked, no answer yet.
    case incomplete = 0x01
    /// Confirmed lately.
    case reachable = 0x02
    /// Known, not confirmed lately.
    case stale = 0x04
    /// In use; will be asked again soon.
    case delay = 0x08
    /// Being asked again.
    case probe = 0x10
    /// No answer.
    case failed = 0x20
    /// Needs no resolution.
    case noARP = 0x40
    /// Entered by the administrator.
    case permanent = 0x80

    /// True when packets can be sent to the link address.
    public var isUsable: Bool {
      switch self {
      case .reachable, .stale, .delay, .probe, .noARP, .permanent: true
      case .none, .incomplete, .failed: false
      }
    }
  }

  /// The neighbour's network address.
  public let address: IPAddress
  /// The link it is on.
  public let linkIndex: Int32
  /// Its Ethernet address, if known.
  public let linkAddress: EthernetAddress?
  /// How sure the kernel is.
  public let state: State
  /// It says of itself that it is a router (IPv6).
  public let isRouter: Bool

  /// Reads an RTM_NEWNEIGH or RTM_DELNEIGH message.
  /// - Returns: nil for a bridge's forwarding table and for proxy entries.
  static func decode(_ message: NetlinkMessage) throws(MalformedNetlinkMessage) -> Neighbour? {
    let header = try message.payload.load(ndmsg.self)
    let attributes = try message.attributes(after: ndmsg.self)
    guard let family = IPAddress.Family(socketFamily: header.ndm_family),
      Int32(header.ndm_flags) & NTF_PROXY == 0
    else { return nil }
    guard let bytes = attributes[Int(NDA_DST)] else { throw MalformedNetlinkMessage() }
    return Neighbour(
      address: try IPAddress(attribute: bytes, family: family), linkIndex: header.ndm_ifindex,
      linkAddress: attributes[Int(NDA_LLADDR)].flatMap { EthernetAddress(bytes: $0) },
      state: State(rawValue: header.ndm_state) ?? .none, isRouter: Int32(header.ndm_flags) & NTF_ROUTER != 0)
  }
}
