// How long silence lasts until a backup takes over (RFC 9568 section 6.1), to the microsecond as keepalived counts it.
//
//     skew         (256 - priority) / 256 of a second, in version 3 of the master's interval
//     master down  adverts that may be missing × the master's interval + skew
//
// Version 3 counts in centiseconds: a 256th of one is 10,000/256 = 625/16 microseconds, and fractions are cut off. In
// version 2 every router has the same interval; in version 3 the master's counts, once it has been heard.

/// The times of an election.
public struct AdvertTimes: Hashable, Sendable {
  private let version: InstanceDefinition.Version
  private let adverts: UInt64
  /// The master's interval: the own one until a master has been heard.
  public var masterInterval: Microseconds

  /// The times of an instance that has heard nobody yet.
  public init(_ definition: InstanceDefinition) {
    version = definition.version
    adverts = definition.effectiveElection.downTimerAdverts
    masterInterval = definition.interval
  }

  /// What routers of lower priority wait longer, so that the best takes over first.
  public func skew(_ priority: UInt8) -> Microseconds {
    let share = 256 - UInt64(priority)
    switch version {
    case .two: return share * 1_000_000 / 256
    case .three: return share * (masterInterval / 10_000) * 625 / 16
    }
  }

  /// How long nothing is heard of a master that is down.
  public func masterDown(_ priority: UInt8) -> Microseconds { adverts * masterInterval + skew(priority) }
}
