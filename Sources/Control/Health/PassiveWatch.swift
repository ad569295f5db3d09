import Config

/// Passive detection: which servers of a service leave their clients' SYNs without an answer, as the traffic itself says.
///
/// Pure, on a clock: once a second it is told what workers have counted of each server, and says who is to be taken out and
/// who may come back. Checks ask a server from the director; this asks what became of those who really wanted something,
/// and finds what checks cannot: a server that answers the director and nobody else.
///
/// The danger is that of acting on what is no server's doing. A flood of SYNs, clients behind a broken route, a port that
/// nobody listens to: then all servers look bad, and taking them out one by one would end the service. So a server
/// goes only when
///
/// - more of its connections than the rate came to nothing, of at least `minimum` in the window,
/// - the others of its service that are in, taken together, have had at least `minimum`, too, and answer twice as often,
/// - and that is no chance: five standard deviations of the difference of two shares,
/// - and it is not the last one that is in. When checks take out all others later, it returns at once.
///
/// A connection counts once it has had a second for its answer. What was answered is summed up over that second, too: in
/// doubt a server stays.
///
/// A server returns when all its checks have passed with attempts that began after it went; without checks after three
/// windows. One that has to go again soon stays out twice as long as the last time, half an hour at most.
struct PassiveWatch: Sendable {
  /// What workers have counted of a server: sums that only grow, while it has the same numbers.
  struct Sums: Hashable, Sendable {
    var opened: UInt64 = 0
    var answered: UInt64 = 0
    var refused: UInt64 = 0
    /// Which numbers it has: with others the sums are others.
    var numbers: [UInt16] = []
  }

  /// A server now.
  struct Sight: Sendable {
    var sums = Sums()
    /// It would be in, were it not for this watch: no check has failed, and it has a weight.
    var isFit = true
    /// The numbers of its checks that can tell that it is back.
    var checks: Set<Int> = []
  }

  /// What is to be done.
  enum Decision: Hashable, Sendable {
    case remove(Int)
    case restore(Int)
  }

  /// Shares of a window.
  struct Share: Hashable, Sendable {
    var opened: UInt64 = 0
    /// Without any answer.
    var silent: UInt64 = 0
    /// With a reset.
    var refused: UInt64 = 0

    var failed: UInt64 { silent + refused }
  }

  /// Why a server is out, and since when.
  struct Absence: Hashable, Sendable {
    let share: Share
    let sinceNanoseconds: UInt64
    /// Not back before.
    let earliestNanoseconds: UInt64
    /// Checks that have passed since then.
    var passed: Set<Int> = []
  }

  private struct Row: Sendable {
    let nanoseconds: UInt64
    let sums: Sums
  }

  private struct Server: Sendable {
    /// The latest last; enough for the window and the second before.
    var rows: [Row] = []
    var absence: Absence?
    /// When it came back, and how long it had been out.
    var comeback: (nanoseconds: UInt64, absence: UInt64)?
  }

  let rule: PassiveCheck
  private var servers: [Server]
  /// Removals since the start, by server.
  private(set) var removalCounts: [UInt64]

  private static let second: UInt64 = 1_000_000_000
  /// An answer may take as long: a second, or a little less, as looks are not quite a second apart.
  private static let grace = second / 10 * 9
  private static let longestAbsence = 1800 * second

  init(_ rule: PassiveCheck, serverCount: Int) {
    self.rule = rule
    servers = Array(repeating: Server(), count: serverCount)
    removalCounts = Array(repeating: 0, count: serverCount)
  }

  private var window: UInt64 { UInt64(max(1, rule.windowSeconds)) * PassiveWatch.second }

  /// Why a server is out; nil when it is not, by this watch.
  func absence(of server: Int) -> Absence? { servers.indices.contains(server) ? servers[server].absence : nil }

  /// Goes on with what was known before a reload, but for checks: their numbers may be others' now.
  /// - Parameter places: of each server now, the place that it had.
  mutating func takeUp(_ old: PassiveWatch, places: [Int?]) {
    for (index, place) in places.enumerated() where servers.indices.contains(index) {
      guard let place, old.servers.indices.contains(place) else { continue }
      servers[index] = old.servers[place]
      servers[index].absence?.passed = []
      removalCounts[index] = old.removalCounts[place]
    }
  }

  /// A check's attempt that began after its server went has ended well.
  mutating func confirm(server: Int, check: Int) {
    guard servers.indices.contains(server) else { return }
    servers[server].absence?.passed.insert(check)
  }

  /// Looks at all servers, in their order.
  mutating func look(_ sights: [Sight], atNanoseconds now: UInt64) -> [Decision] {
    guard sights.count == servers.count else { return [] }
    for index in servers.indices { note(sights[index].sums, of: index, now) }
    var decisions: [Decision] = []
    // Better those that are in doubt than none.
    let isEmpty = !servers.indices.contains { isIn($0, sights) }
    for index in servers.indices where sights[index].isFit && (isEmpty || mayReturn(index, sights[index].checks, now)) {
      guard servers[index].absence != nil else { continue }
      restore(index, now)
      decisions.append(.restore(index))
    }
    // One after the other, the worst first: those that go no longer stand among the others.
    while let worst = suspect(sights, now) {
      remove(worst, now)
      decisions.append(.remove(worst))
    }
    return decisions
  }

  // MARK: - Sums

  private mutating func note(_ sums: Sums, of index: Int, _ now: UInt64) {
    if let last = servers[index].rows.last?.sums {
      let isLess =
        sums.opened < last.opened || sums.answered < last.answered || sums.refused < last.refused
      if isLess || sums.numbers != last.numbers { servers[index].rows = [] }
    }
    servers[index].rows.append(Row(nanoseconds: now, sums: sums))
    // The first one that is kept is where the window begins.
    let begin = now > window + PassiveWatch.grace ? now - window - PassiveWatch.grace : 0
    let surplus = servers[index].rows.lastIndex { $0.nanoseconds <= begin } ?? 0
    servers[index].rows.removeFirst(surplus)
  }

  /// What became of the connections of the window.
  private func share(of index: Int, _ now: UInt64) -> Share {
    let rows = servers[index].rows
    guard let first = rows.first, let last = rows.last,
      let end = rows.last(where: { $0.nanoseconds.addingReportingOverflow(PassiveWatch.grace).partialValue <= now })
    else { return Share() }
    let opened = end.sums.opened - first.sums.opened
    let refused = min(end.sums.refused - first.sums.refused, opened)
    let answered = min(last.sums.answered - first.sums.answered, opened - refused)
    return Share(opened: opened, silent: opened - refused - answered, refused: refused)
  }

  // MARK: - Who goes

  private func isIn(_ index: Int, _ sights: [Sight]) -> Bool {
    sights[index].isFit && servers[index].absence == nil
  }

  /// The server that has to go before all others.
  private func suspect(_ sights: [Sight], _ now: UInt64) -> Int? {
    let present = servers.indices.filter { isIn($0, sights) }
    guard present.count > 1 else { return nil }
    let shares = present.map { share(of: $0, now) }
    let all = shares.reduce(into: Share()) { sum, share in
      sum.opened += share.opened
      sum.silent += share.silent
      sum.refused += share.refused
    }
    var worst: (index: Int, rate: Double)?
    for (index, share) in zip(present, shares) {
      let others = Share(
        opened: all.opened - share.opened, silent: all.silent - share.silent, refused: all.refused - share.refused)
      guard isTooBad(share), isClearlyWorse(share, than: others) else { continue }
      let rate = Double(share.failed) / Double(share.opened)
      if rate > worst?.rate ?? 0 { worst = (index, rate) }
    }
    return worst?.index
  }

  private func isTooBad(_ share: Share) -> Bool {
    share.opened >= UInt64(max(1, rule.minimumConnections))
      && Double(share.failed) * 100 > Double(share.opened) * Double(rule.unansweredPercent)
  }

  /// Answers half as often as the others, or less, and not by chance.
  private func isClearlyWorse(_ share: Share, than others: Share) -> Bool {
    guard others.opened >= UInt64(max(1, rule.minimumConnections)), share.opened > 0 else { return false }
    let (count, otherCount) = (Double(share.opened), Double(others.opened))
    let (rate, otherRate) = (Double(share.failed) / count, Double(others.failed) / otherCount)
    guard (1 - rate) * 2 <= 1 - otherRate else { return false }
    let common = Double(share.failed + others.failed) / (count + otherCount)
    let variance = common * (1 - common) * (1 / count + 1 / otherCount)
    let difference = rate - otherRate
    return difference > 0 && difference * difference >= 25 * variance
  }

  private mutating func remove(_ index: Int, _ now: UInt64) {
    let share = share(of: index, now)
    var least: UInt64 = 0
    if let comeback = servers[index].comeback {
      // Forgiven once it has been in for ten windows, and as long as it was out.
      let soon = max(10 * window, comeback.absence)
      if now - min(now, comeback.nanoseconds) <= soon {
        least = min(2 * max(comeback.absence, window), PassiveWatch.longestAbsence)
      }
    }
    servers[index].absence = Absence(
      share: share, sinceNanoseconds: now, earliestNanoseconds: now.addingReportingOverflow(least).partialValue)
    servers[index].comeback = nil
    removalCounts[index] += 1
  }

  // MARK: - Who comes back

  private func mayReturn(_ index: Int, _ checks: Set<Int>, _ now: UInt64) -> Bool {
    guard let absence = servers[index].absence, now >= absence.earliestNanoseconds else { return false }
    guard checks.isEmpty else { return checks.isSubset(of: absence.passed) }
    return now - min(now, absence.sinceNanoseconds) >= 3 * window
  }

  private mutating func restore(_ index: Int, _ now: UInt64) {
    guard let absence = servers[index].absence else { return }
    servers[index].absence = nil
    servers[index].comeback = (now, now - min(now, absence.sinceNanoseconds))
    // What was before is known; it begins anew.
    servers[index].rows = Array(servers[index].rows.suffix(1))
  }
}

extension PassiveWatch.Share {
  /// `of 40 connections in 10 s 38 were not answered`
  func words(windowSeconds: Int) -> String {
    let what =
      switch (silent, refused) {
      case (_, 0): "\(silent) were not answered"
      case (0, _): "\(refused) were reset"
      default: "\(silent) were not answered, \(refused) were reset"
      }
    return "of \(opened) connections in \(windowSeconds) s \(what)"
  }
}
