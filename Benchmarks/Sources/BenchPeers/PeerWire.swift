/// How the lab's wires differ from plain veth pairs, for all targets alike.
public struct PeerWire: Sendable {
  /// Client and servers receive on their own core, as separate machines would; a plain veth lets the sender's core do
  /// the receiver's work.
  public var receiversHaveTheirCore: Bool
  /// The switch's port towards the director gathers what arrives within some microseconds and joins segments, as
  /// network cards do.
  public var gathersFrames: Bool

  /// Plain wires, unless told otherwise.
  public init(receiversHaveTheirCore: Bool = false, gathersFrames: Bool = false) {
    self.receiversHaveTheirCore = receiversHaveTheirCore
    self.gathersFrames = gathersFrames
  }

  static let gatheringNanoseconds = 20_000

  /// For the report.
  var remark: String {
    let receiving =
      receiversHaveTheirCore
      ? "client and servers receive on their own core"
      : "a sender's core does the receiver's work, so a director takes some off the servers, and may beat direct"
    let microseconds = PeerWire.gatheringNanoseconds / 1000
    let gathering =
      gathersFrames
      ? "; the switch gathers what comes from the director for \(microseconds) us and joins segments"
      : "; the switch joins no segments"
    return receiving + gathering
  }
}
