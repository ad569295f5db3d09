/// A service or a server as a line of the table.
struct TopRow: Equatable {
  var name: String
  var note: String
  var isService: Bool
  var rates = TopSample.Rates()
  var active: UInt64 = 0
  var inactive: UInt64 = 0

  /// What rows are sorted by.
  enum Order: String, CaseIterable {
    case listed
    case cps
    case inpps
    case outpps
    case inbps
    case outbps
    case active
    case inactive
    case name
  }

  /// The number that counts in an order.
  func number(_ order: Order) -> UInt64 {
    switch order {
    case .cps: rates.cps
    case .inpps: rates.inpps
    case .outpps: rates.outpps
    case .inbps: rates.inbps
    case .outbps: rates.outbps
    case .active: active
    case .inactive: inactive
    case .listed, .name: 0
    }
  }

  /// Largest first; the order of the listing where they are alike.
  static func sorted(_ rows: [TopRow], _ order: Order) -> [Int] {
    let indices = rows.indices
    switch order {
    case .listed: return Array(indices)
    case .name: return indices.sorted { (rows[$0].name, $0) < (rows[$1].name, $1) }
    default: return indices.sorted { (rows[$1].number(order), $0) < (rows[$0].number(order), $1) }
    }
  }
}

/// What happened between two samples, or what lbd itself estimates when there is only one.
struct TopDifference {
  let sample: TopSample
  private let before: TopSample?
  private let seconds: Double
  private var services: [String: TopSample.Service] = [:]
  private var health: [String: TopSample.Health] = [:]
  private var servers: [String: TopSample.Stats] = [:]

  init(_ sample: TopSample, since before: TopSample?) {
    self.sample = sample
    let isLater =
      before.map { $0.nanoseconds < sample.nanoseconds && $0.workers.count == sample.workers.count } ?? false
    self.before = isLater ? before : nil
    seconds = isLater ? Double(sample.nanoseconds - (before?.nanoseconds ?? 0)) / 1e9 : 0
    for unit in sample.listing.health ?? [] {
      for name in unit.services { health[name] = unit }
    }
    for service in self.before?.listing.services ?? [] {
      services[service.name] = service
      for server in service.servers { servers[service.name + " " + server.name] = server.stats }
    }
  }

  /// True when there are two samples to compare.
  var isMeasured: Bool { before != nil }

  /// In a second; nothing for a counter that has been set back.
  private func rate(_ now: UInt64, _ before: UInt64) -> UInt64 {
    now >= before && seconds > 0 ? UInt64(Double(now - before) / seconds + 0.5) : 0
  }

  private func rates(
    _ now: TopSample.Stats, _ before: TopSample.Stats?, _ estimated: TopSample.Rates?
  ) -> TopSample.Rates {
    guard isMeasured, let before else { return estimated ?? TopSample.Rates() }
    return TopSample.Rates(
      cps: rate(now.conns, before.conns), inpps: rate(now.inpkts, before.inpkts),
      outpps: rate(now.outpkts, before.outpkts), inbps: rate(now.inbytes, before.inbytes),
      outbps: rate(now.outbytes, before.outbytes))
  }

  func row(_ service: TopSample.Service) -> TopRow {
    TopRow(
      name: service.name, note: service.scheduler + (health[service.name]?.sorry == true ? ", sorry server" : ""),
      isService: true,
      rates: rates(service.stats, services[service.name]?.stats, service.rates),
      active: service.servers.reduce(0) { $0 &+ $1.activeConns },
      inactive: service.servers.reduce(0) { $0 &+ $1.inactiveConns })
  }

  /// Servers that are out of service have a line, too, though no scheduler knows them.
  func absentRows(of service: TopSample.Service) -> [TopRow] {
    let present = Set(service.servers.map(\.name))
    return (health[service.name]?.servers ?? []).filter { !present.contains($0.name) }.map {
      TopRow(name: $0.name, note: $0.note ?? "out of service", isService: false)
    }
  }

  func row(_ server: TopSample.Server, of service: TopSample.Service) -> TopRow {
    let health = health[service.name]?.servers.first { $0.name == server.name }?.note
    return TopRow(
      name: server.name,
      note: "\(server.forward) \(server.weight)" + (server.drainSecondsLeft.map { " drains \($0) s" } ?? "")
        + (health.map { "  \($0)" } ?? ""),
      isService: false,
      rates: rates(server.stats, servers[service.name + " " + server.name], server.rates), active: server.activeConns,
      inactive: server.inactiveConns)
  }

  /// Frames by outcome: in a second, or in all while nothing is measured; the most frequent first.
  var outcomes: [(name: String, count: UInt64)] {
    sample.outcomes.map { ($0.key, isMeasured ? rate($0.value, before?.outcomes[$0.key] ?? 0) : $0.value) }
      .filter { $0.1 > 0 }.sorted { ($1.1, $0.0) < ($0.1, $1.0) }
  }

  /// A worker's frames in a second, lost ones in all, and how much of its core it takes (nil while nothing is measured).
  func worker(_ number: Int) -> (frames: UInt64, missed: UInt64, refused: UInt64, percent: Int?) {
    let now = sample.workers[number]
    guard let before = before?.workers[number] else { return (now.received, now.missed, now.refused, nil) }
    let busy = now.busyNanoseconds >= before.busyNanoseconds ? now.busyNanoseconds - before.busyNanoseconds : 0
    return (
      rate(now.received, before.received), now.missed, now.refused, min(100, Int(Double(busy) / seconds / 1e7 + 0.5))
    )
  }
}
