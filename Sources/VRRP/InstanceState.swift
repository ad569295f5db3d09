/// What an instance is, by the numbers that keepalived's JSON has.
public enum InstanceState: Int, Hashable, Sendable, CaseIterable {
  /// Not begun, or ended.
  case initial = 0
  /// Another router has the addresses, or soon will.
  case backup = 1
  /// It has them.
  case master = 2
  /// It cannot have them.
  case fault = 3

  /// The name in logs and notices; what has not begun is a backup to everyone outside.
  public var name: String {
    switch self {
    case .initial: "INIT"
    case .backup: "BACKUP"
    case .master: "MASTER"
    case .fault: "FAULT"
    }
  }
}

/// What an instance has counted since its start.
public struct InstanceCounters: Hashable, Sendable {
  /// Datagrams for it that came while it took part.
  public internal(set) var received: UInt64 = 0
  /// Turns of sending; one, however many peers there are.
  public internal(set) var sent: UInt64 = 0
  /// Times it became master.
  public internal(set) var becameMaster: UInt64 = 0
  /// Times it ceased to be.
  public internal(set) var releasedMaster: UInt64 = 0
  /// Resignations heard.
  public internal(set) var zeroReceived: UInt64 = 0
  /// Resignations sent.
  public internal(set) var zeroSent: UInt64 = 0
  /// Adverts whose addresses are not ours; they count all the same.
  public internal(set) var addressMismatches: UInt64 = 0
  /// Times a backup did not run for so long that silence meant nothing.
  public internal(set) var lateTimers: UInt64 = 0
  private var rejections = [UInt64](repeating: 0, count: Rejection.allCases.count)

  /// Nothing yet.
  public init() {}

  /// Adverts refused for this reason.
  public func rejected(_ reason: Rejection) -> UInt64 {
    Rejection.allCases.firstIndex(of: reason).map { rejections[$0] } ?? 0
  }

  mutating func count(_ reason: Rejection) {
    if let index = Rejection.allCases.firstIndex(of: reason) { rejections[index] += 1 }
  }
}
