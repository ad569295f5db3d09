import Config
import Dataplane
import Scheduler
import Wire

/// Writes captures like those of real traffic: flows of very different sizes, each from SYN to FIN, thousands of them at a
/// time, with acknowledgements, windows and round trips; three sizes of packets; IPv4 and IPv6; TCP and some UDP.
///
/// The same seed writes the same bytes.
public struct CaptureGenerator {
  /// What to write.
  public struct Options: Sendable {
    /// Flows.
    public var flows = 10_000
    /// The capture ends after so many frames; nil is at the end of the last flow.
    public var packets: Int?
    /// Of everything that is drawn by lot; replay with the same.
    public var seed: UInt64 = 1

    /// The defaults.
    public init() {}
  }

  /// What has been written.
  public struct Summary: Sendable, Equatable {
    /// Flows begun.
    public internal(set) var flows = 0
    /// Frames.
    public internal(set) var frames = 0
    /// Of them, real servers' answers.
    public internal(set) var answers = 0
    /// Bytes of all frames.
    public internal(set) var byteCount = 0
    /// By the capture's clock.
    public internal(set) var nanoseconds: UInt64 = 0
  }

  private let configuration: Configuration
  private let options: Options
  private let network: CaptureNetwork
  private let groups: [(share: Double, services: [VirtualService])]
  private var random: RandomNumbers
  private var summary = Summary()

  /// Of new flows, in nanoseconds: some thousands are open at a time.
  private static let meanGap = 100_000.0
  /// Begins at a whole second of a day in 2026; a capture needs some date.
  private static let epoch: UInt64 = 1_767_225_600_000_000_000

  /// - Parameters:
  ///   - configuration: the services that clients use.
  ///   - name: of the configuration, for messages.
  /// - Throws: when there is no service a flow could be for.
  public init(configuration: Configuration, name: String, options: Options) throws {
    self.configuration = configuration
    self.options = options
    network = try CaptureNetwork(configuration, name: name)
    random = RandomNumbers(seed: options.seed)
    let usable = configuration.services.filter { service in
      guard case .address(let transport, _) = service.key, transport != .sctp else { return false }
      return service.realServers.contains { $0.weight > 0 }
    }
    guard !usable.isEmpty else {
      throw LoadedCaptureError("\(name) has no TCP or UDP service with a real server: there is nothing to send to")
    }
    // Three in ten flows by IPv6, one in ten by UDP.
    groups = [(0.63, false, IPAddress.Family.ipv4), (0.27, false, .ipv6), (0.07, true, .ipv4), (0.03, true, .ipv6)]
      .map { share, isUDP, family in
        (share, usable.filter { CaptureGenerator.isUDP($0) == isUDP && $0.key.family == family })
      }.filter { !$0.services.isEmpty }
  }

  private static func isUDP(_ service: VirtualService) -> Bool {
    if case .address(.udp, _) = service.key { true } else { false }
  }

  /// The network that the capture was taken in, as lines of ip(8).
  public var topology: String { network.text }

  /// Writes a capture.
  public mutating func write(to path: String) throws -> Summary {
    random = RandomNumbers(seed: options.seed)
    summary = Summary()
    let writer = try CaptureWriter(path: path)
    let finder =
      try configuration.services.contains(where: AnswerFinder.knows)
      ? AnswerFinder(configuration, network, flows: options.flows, seed: options.seed) : nil
    var flows: [GeneratedFlow?] = []
    var free: [Int] = []
    var queue = TimeQueue()
    var start: UInt64 = 0
    while summary.frames < options.packets ?? .max {
      if summary.flows < options.flows, start <= queue.first ?? .max {
        let flow = try begin(at: start, finder)
        let slot = free.popLast() ?? flows.count
        if slot == flows.count { flows.append(flow) } else { flows[slot] = flow }
        queue.push(slot, at: start)
        start += UInt64(random.exponential(mean: CaptureGenerator.meanGap))
        continue
      }
      guard let slot = queue.pop(), var flow = flows[slot], let due = flow.due else { break }
      write(&flow, at: due, writer)
      // Only what is going on is kept.
      flows[slot] = flow.due == nil ? nil : flow
      if let next = flow.due { queue.push(slot, at: next) } else { free.append(slot) }
    }
    try writer.finish()
    return summary
  }

  private mutating func begin(at start: UInt64, _ finder: AnswerFinder?) throws -> GeneratedFlow {
    let service = pick()
    var flow = GeneratedFlow(number: summary.flows, of: service, at: start, random: &random)
    if let finder, AnswerFinder.knows(service) { flow.answers = try finder.answers(to: flow.opening(network)) }
    summary.flows += 1
    return flow
  }

  private mutating func pick() -> VirtualService {
    var left = random.share() * groups.reduce(0) { $0 + $1.share }
    var chosen = groups[0].services
    for group in groups {
      chosen = group.services
      left -= group.share
      if left < 0 { break }
    }
    return chosen[random.below(chosen.count)]
  }

  private mutating func write(_ flow: inout GeneratedFlow, at time: UInt64, _ writer: CaptureWriter) {
    let before = flow.isAnswering
    guard let frame = flow.next(network) else { return }
    frame.withUnsafeBytes { writer.write($0, nanoseconds: CaptureGenerator.epoch + time) }
    summary.frames += 1
    summary.answers += before ? 1 : 0
    summary.byteCount += frame.count
    summary.nanoseconds = max(summary.nanoseconds, time)
  }
}
