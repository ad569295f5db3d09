import Config
import Dataplane
import Wire

/// Which real server will answer a client, and to which address: found by asking the pipeline itself.
///
/// Only for services whose answers pass the director and whose scheduler looks at nothing but the client: another
/// scheduler may choose differently when the capture is replayed.
final class AnswerFinder {
  private let replay: Replay
  private var sent: FrameGlance?
  private var count = 0

  init(_ configuration: Configuration, _ network: CaptureNetwork, flows: Int, seed: UInt64) throws {
    let most = Limits.connections.most
    replay = try Replay(connections: min(max(65_536, 2 * flows), most), seed: seed)
    for line in network.text.split(separator: "\n") where !line.hasPrefix("#") {
      for edit in try TopologyText.parse(line: String(line)).get() { _ = replay.apply(edit) }
    }
    try replay.apply(configuration)
    replay.onTransmit = { [unowned self] _, _, bytes in sent = FrameGlance(bytes) }
  }

  /// True when it can be known.
  static func knows(_ service: VirtualService) -> Bool {
    service.schedulerName == "sh"
      && service.realServers.allSatisfy { server in
        service.forwardingMethod(to: server).translatesPorts && server.vlan == nil
      }
  }

  /// Where the answers to a flow's first frame come from, and where they go; nil when it is not forwarded.
  func answers(to frame: [UInt8]) throws -> (from: Endpoint, to: Endpoint)? {
    sent = nil
    try frame.withUnsafeBytes { try replay.feed($0, input: count, elapsedNanoseconds: 1000) }
    replay.flush()
    count += 1
    return sent.map { ($0.destination, $0.source) }
  }
}
