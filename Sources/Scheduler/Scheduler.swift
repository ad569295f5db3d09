// Which real server gets the next connection?
//
// Every scheduler is a file of its own with pure functions; this enum is the one switch that leads to them. It is a
// switch and not a protocol because the choice is data (a service's setting) that is read for every new connection:
// a jump on a byte costs nothing, a witness table and a box would.
//
// The caller's loop, for a state word shared by all workers:
//
//     repeat
//       old = load(word); new = old
//       position = scheduler.pick(from: servers, state: &new, flow: flow, flags: flags)
//     while new != old and not compareExchange(word, old, new)
//
// A position of -1 is "no server": the state may have changed nevertheless. Control tells a scheduler of changes to the
// list with `serversChanged`, again by compare-and-swap, at the moment the new list is published. A worker may pick
// from the older or the newer list with either word; nothing worse comes of it than one pick out of turn.
//
// lblc and lblcr remember more than fits a word. What they have beside it is a `DestinationCache`, which they change
// themselves, by its own rules; their word stays 0.
//
// What is not here: persistence, connection reuse, and what happens when there is no server. Those come before and
// after.

/// The scheduling methods, by number as they are kept in a service.
public enum Scheduler: UInt8, CaseIterable, Hashable, Sendable {
  case roundRobin
  case weightedRoundRobin
  case leastConnection
  case weightedLeastConnection
  case sourceHashing
  case maglevHashing
  case shortestExpectedDelay
  case neverQueue
  case destinationHashing
  case localityLeastConnection
  case replicatedLocality
  case weightedFailover
  case weightedOverflow
  case twoChoices
  /// The service is there and its connections go on, but nothing new gets a server.
  case nobody

  /// By the name that commands and configuration files use.
  public init?(name: String) {
    guard let found = Scheduler.allCases.first(where: { $0.name == name }) else { return nil }
    self = found
  }

  /// The name that commands, listings and configuration files use.
  public var name: String {
    switch self {
    case .roundRobin: "rr"
    case .weightedRoundRobin: "wrr"
    case .leastConnection: "lc"
    case .weightedLeastConnection: "wlc"
    case .sourceHashing: "sh"
    case .maglevHashing: "mh"
    case .shortestExpectedDelay: "sed"
    case .neverQueue: "nq"
    case .destinationHashing: "dh"
    case .localityLeastConnection: "lblc"
    case .replicatedLocality: "lblcr"
    case .weightedFailover: "fo"
    case .weightedOverflow: "ovf"
    case .twoChoices: "twos"
    case .nobody: "none"
    }
  }

  /// Picks a server for a new connection.
  /// - Returns: its position in `servers`, or -1 when there is none.
  @inlinable
  public func pick(
    from servers: RealServerSet, state: inout SchedulerState, flow: ScheduledFlow, flags: SchedulerFlags
  ) -> Int {
    isOutOfLine
      ? pickOutOfLine(from: servers, state: &state, flow: flow)
      : pickInLine(from: servers, state: &state, flow: flow, flags: flags)
  }

  /// The same for those that are not out of line; -1 for all others.
  @inlinable
  public func pickInLine(
    from servers: RealServerSet, state: inout SchedulerState, flow: ScheduledFlow, flags: SchedulerFlags
  ) -> Int {
    switch self {
    case .roundRobin: RoundRobin.pick(from: servers, state: &state)
    case .weightedRoundRobin: WeightedRoundRobin.pick(from: servers, state: &state)
    case .leastConnection: LeastConnection.pick(from: servers)
    case .weightedLeastConnection: WeightedLeastConnection.pick(from: servers)
    case .sourceHashing: SourceHashing.pick(from: servers, flow: flow, flags: flags)
    case .maglevHashing: MaglevHashing.pick(from: servers, flow: flow, flags: flags)
    case .shortestExpectedDelay, .neverQueue, .destinationHashing, .localityLeastConnection, .replicatedLocality,
      .weightedFailover, .weightedOverflow, .twoChoices, .nobody:
      -1
    }
  }

  /// True for the schedulers less often used, whose picks are kept out of the caller's code.
  ///
  /// A caller that picks for every new connection asks first: for these it calls `pick` elsewhere, for the others
  /// `pickInLine`. To have all in one place would cost every pick some forty instructions, merely to be able to hand over
  /// the list.
  @inlinable
  public var isOutOfLine: Bool {
    switch self {
    case .roundRobin, .weightedRoundRobin, .leastConnection, .weightedLeastConnection, .sourceHashing, .maglevHashing:
      false
    case .shortestExpectedDelay, .neverQueue, .destinationHashing, .localityLeastConnection, .replicatedLocality,
      .weightedFailover, .weightedOverflow, .twoChoices, .nobody:
      true
    }
  }

  @usableFromInline
  func pickOutOfLine(from servers: RealServerSet, state: inout SchedulerState, flow: ScheduledFlow) -> Int {
    switch self {
    case .shortestExpectedDelay: ShortestExpectedDelay.pick(from: servers)
    case .neverQueue: NeverQueue.pick(from: servers)
    case .destinationHashing: DestinationHashing.pick(from: servers, flow: flow)
    case .localityLeastConnection: LocalityLeastConnection.pick(from: servers, flow: flow)
    case .replicatedLocality: ReplicatedLocality.pick(from: servers, flow: flow)
    case .weightedFailover: WeightedFailover.pick(from: servers)
    case .weightedOverflow: WeightedOverflow.pick(from: servers)
    case .twoChoices: TwoChoices.pick(from: servers, state: &state)
    case .roundRobin, .weightedRoundRobin, .leastConnection, .weightedLeastConnection, .sourceHashing, .maglevHashing,
      .nobody:
      -1
    }
  }

  /// The state after a change of the list; a pure function like `pick`.
  ///
  /// At `.bound` what is passed is not an old state but chance: a word drawn by lot, which `twos` goes on from.
  /// - Parameter servers: the list after the change.
  public func serversChanged(
    _ state: SchedulerState, servers: RealServerSet, change: ServerListChange
  ) -> SchedulerState {
    switch self {
    case .roundRobin: RoundRobin.serversChanged(state, change: change)
    case .weightedRoundRobin: WeightedRoundRobin.serversChanged(state, servers: servers, change: change)
    case .twoChoices: state
    case .leastConnection, .weightedLeastConnection, .sourceHashing, .maglevHashing, .shortestExpectedDelay,
      .neverQueue, .destinationHashing, .localityLeastConnection, .replicatedLocality, .weightedFailover,
      .weightedOverflow, .nobody:
      SchedulerState()
    }
  }

  /// The table to publish with a list: bucket -> position.
  /// - Parameter servers: the list in its order; only asked for when there is a table to make.
  /// - Returns: nil for schedulers that need none.
  public func makeTable(_ servers: () -> [HashedServer]) -> [UInt16]? {
    switch self {
    case .sourceHashing: SourceHashing.makeTable(servers())
    case .maglevHashing: MaglevHashing.makeTable(servers())
    case .destinationHashing: DestinationHashing.makeTable(servers())
    case .localityLeastConnection, .replicatedLocality: ServerIdentity.makeTable(servers())
    case .roundRobin, .weightedRoundRobin, .leastConnection, .weightedLeastConnection, .shortestExpectedDelay,
      .neverQueue, .weightedFailover, .weightedOverflow, .twoChoices, .nobody:
      nil
    }
  }

  /// True for schedulers that remember destinations: they get a `DestinationCache` and the servers' identities.
  @inlinable
  public var hasCache: Bool { self == .localityLeastConnection || self == .replicatedLocality }

  /// True when what is remembered are sets of servers.
  public var cacheHoldsSets: Bool { self == .replicatedLocality }

  /// `step` and `maximum` to publish with a list; harmless for schedulers that do not use them.
  public static func pace(of weights: [Int32]) -> (step: UInt32, maximum: UInt32) {
    WeightedRoundRobin.pace(of: weights)
  }

  /// The pace of a list to which one more server comes.
  public static func pace(
    _ pace: (step: UInt32, maximum: UInt32), adding weight: Int32
  ) -> (step: UInt32, maximum: UInt32) {
    WeightedRoundRobin.pace(pace, adding: weight)
  }
}

/// What happened to a service's list of servers.
public enum ServerListChange: Hashable, Sendable {
  /// The scheduler was bound to the service: a new service, or another scheduler than before.
  case bound
  /// A server was added, at the head of the list.
  case added(identifier: UInt16)
  /// A server was removed; `predecessor` stood before it in the list, nil when it was the first.
  case removed(identifier: UInt16, predecessor: UInt16?)
  /// A server's attributes changed.
  case edited
}
