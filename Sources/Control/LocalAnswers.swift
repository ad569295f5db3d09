import CShims
import Dataplane
import Kernel

/// Brings the answers of real servers that are the director itself to the workers: a tc program on the way out of each
/// interface redirects them to the TUN device, where a worker takes them.
///
/// Attached when there first is such a server. The program lets them pass by when nobody has said for some seconds that lbd
/// is there: the host may use these addresses and ports otherwise too.
final class LocalAnswers {
  private let object: BPFObject
  private let ours: OursMap
  private let host: BPFMapOf<UInt32, UInt64>
  private var attachments: [Attachment] = []

  private static let graceNanoseconds: UInt64 = 5_000_000_000

  private final class Attachment {
    let attachment: TrafficControlAttachment
    init(_ link: Topology.Link, program: Int32) throws {
      attachment = try TrafficControlAttachment(
        interfaceIndex: UInt32(link.index), interfaceName: link.name, program: program, direction: .egress)
    }
  }

  /// - Parameter device: index of the TUN device.
  init(links: [Topology.Link], device: UInt32, entries: [OursEntry]) throws {
    object = try BPFObject.director(.answers)
    ours = OursMap(try object.map("lb_ours"))
    host = BPFMapOf(try object.map("lb_host"))
    try ours.synchronize(to: entries)
    try host.update(UInt32(LB_HOST_DEVICE), UInt64(device))
    try confirm()
    let program = try object.programDescriptor("lb_answers")
    attachments = try links.map { try Attachment($0, program: program) }
  }

  /// Says that lbd is there.
  func confirm() throws {
    try host.update(UInt32(LB_HOST_DEADLINE), MonotonicClock.nanoseconds() + LocalAnswers.graceNanoseconds)
  }

  func update(_ entries: [OursEntry]) throws { try ours.synchronize(to: entries) }
}
