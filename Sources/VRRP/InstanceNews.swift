import Wire

// What log lines say. People search their logs for keepalived's words, so where it has words for something, those are used.
// What anybody on the network can provoke is said once in a while only: see `NewsLimit`.

/// A line for the log.
public enum InstanceNews: Hashable, Sendable {
  /// No advert within the time.
  case receiveTimeout
  /// Another state; `reason` for a fault.
  case entering(InstanceState, reason: String?)
  /// The first state after the start.
  case beginning(InstanceState, reason: String?)
  /// Addresses are set.
  case settingAddresses
  /// Addresses are removed.
  case removingAddresses
  /// A master gives way.
  case higherPriority(from: IPAddress, theirs: UInt8, ours: UInt8)
  /// A master does not give way.
  case lowerPriority(from: IPAddress, theirs: UInt8, ours: UInt8)
  /// A backup that will take over.
  case discarded(from: IPAddress, priority: UInt8)
  /// We have resigned.
  case sentResignation
  /// The master has resigned.
  case heardResignation
  /// Tracking has changed the priority.
  case priority(from: UInt8, to: UInt8)
  /// Adverts do not count; `times` since this was last said.
  case rejected(Rejection, from: IPAddress, times: UInt64)
  /// An advert that counts has other addresses.
  case addressMismatch(AddressMismatch, from: IPAddress, virtualRouter: UInt8)
  /// Another owner of the addresses.
  case twoOwners(from: IPAddress)
  /// Nothing was done for that long, and a backup listens once more.
  case late(Microseconds)
  /// Somebody else has removed an address.
  case lostAddress(IPAddress)

  /// keepalived says it with `-D` only.
  public var isDetail: Bool {
    switch self {
    case .receiveTimeout, .settingAddresses, .removingAddresses, .sentResignation, .heardResignation: true
    default: false
    }
  }

  /// Something is wrong with the network or the configuration.
  public var isWarning: Bool {
    switch self {
    case .rejected, .addressMismatch, .twoOwners, .late, .lostAddress, .lowerPriority: true
    case .entering(let state, _), .beginning(let state, _): state == .fault
    default: false
    }
  }

  /// The line, for the instance of this name.
  public func line(_ name: String) -> String { "(\(name)) \(phrase)" }

  private var phrase: String {
    switch self {
    case .receiveTimeout: "Receive advertisement timeout"
    case .entering(let state, let reason): "Entering \(state.name) STATE\(reason.map { " (\($0))" } ?? "")"
    case .beginning(.fault, let reason): "entering FAULT state\(reason.map { " (\($0))" } ?? "")"
    case .beginning(let state, _): "Entering \(state.name) STATE (init)"
    case .settingAddresses: "setting VIPs."
    case .removingAddresses: "removing VIPs."
    case .higherPriority(let source, let theirs, let ours):
      theirs == ours
        ? "Master received advert from \(source) with same priority \(theirs) but higher IP address than ours"
        : "Master received advert from \(source) with higher priority \(theirs), ours \(ours)"
    case .lowerPriority(let source, let theirs, let ours):
      theirs == ours
        ? "Received advert from \(source) with same priority \(theirs) but lower IP address than ours, forcing new election"
        : "Received advert from \(source) with lower priority \(theirs), ours \(ours), forcing new election"
    case .discarded(let source, let priority):
      "received lower priority (\(priority)) advert from \(source) - discarding"
    case .sentResignation: "sent 0 priority"
    case .heardResignation: "Backup received priority 0 advertisement"
    case .priority(let old, let new): "Changing effective priority from \(old) to \(new)"
    case .rejected(let reason, let source, let times):
      "\(reason.phrase), from \(source)\(times > 1 ? ", \(times) times" : ""); its adverts are ignored, which may make both routers master"
    case .addressMismatch(let mismatch, let source, let virtualRouter):
      "\(mismatch.phrase(virtualRouter: virtualRouter)) (from \(source)); make virtual_ipaddress the same on all routers"
    case .twoOwners(let source):
      "\(source) has priority 255 too; only one router owns the addresses: ours is 254 from now on"
    case .late(let late):
      "A thread timer expired late, nothing ran for \(Self.seconds(late)) seconds; listening once more before taking over"
    case .lostAddress(let address):
      "ip address \(address) was removed from its interface by something else; a new election begins"
    }
  }

  private static func seconds(_ time: Microseconds) -> String {
    let fraction = String(time % 1_000_000)
    return "\(time / 1_000_000)." + String(repeating: "0", count: 6 - fraction.count) + fraction
  }
}

/// Says how often something may be said that anybody can provoke.
struct NewsLimit: Sendable {
  /// What is limited; as many entries as there can be.
  enum Subject: Hashable {
    case discarded
    case lowerPriority
    case resignation
    case mismatch
    case rejection(Rejection)
  }

  /// Of what happens at every advert.
  static let second: Microseconds = 1_000_000
  /// Of what lasts until somebody changes a configuration.
  static let minute: Microseconds = 60_000_000

  private var last: [Subject: Microseconds] = [:]

  /// - Returns: whether to say it now.
  mutating func admits(_ subject: Subject, every distance: Microseconds, at now: Microseconds) -> Bool {
    if let last = last[subject], now < last.adding(distance) { return false }
    last[subject] = now
    return true
  }
}
