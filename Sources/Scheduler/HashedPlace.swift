// What a scheduler that goes by addresses looked at: for whoever has to explain a pick (`lbd why`).

/// The place that a flow's hash names.
public struct HashedPlace: Hashable, Sendable {
  /// Which of them.
  public var bucket: Int
  /// How many there are.
  public var bucketCount: Int
  /// The position of the server it belongs to; nil when it is nobody's.
  public var position: Int?
}

extension Scheduler {
  /// The bucket or slot that is looked at first for a flow; nil for schedulers that do not hash.
  public func place(of flow: ScheduledFlow, in servers: RealServerSet, flags: SchedulerFlags) -> HashedPlace? {
    guard let table = servers.table else { return nil }
    let bucket: Int
    switch self {
    case .sourceHashing: bucket = SourceHashing.bucket(of: flow, flags: flags)
    case .destinationHashing: bucket = DestinationHashing.bucket(of: flow)
    case .maglevHashing: bucket = MaglevHashing.slot(of: MaglevHashing.number(of: flow, flags: flags))
    default: return nil
    }
    guard bucket < servers.tableCount else { return nil }
    let position = Int(table[bucket])
    return HashedPlace(
      bucket: bucket, bucketCount: servers.tableCount, position: position < servers.count ? position : nil)
  }

  /// lblc, lblcr: whether the flow's destination is remembered; nil for others.
  public func remembers(_ flow: ScheduledFlow, in servers: RealServerSet) -> Bool? {
    guard hasCache, let cache = servers.cache else { return nil }
    return cache.find(flow).isFound
  }
}
