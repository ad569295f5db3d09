/// Numbers and a view become lines. Pure: the same numbers give the same lines.
struct TopRenderer {
  let difference: TopDifference
  let view: TopView
  let columns: Int

  /// Workers that have a line each.
  private static let workerLimit = 8

  /// The lines of a screen, or all of them.
  /// - Parameter rows: of the screen; nil for as many as it takes.
  /// - Returns: lines that are no longer than the screen is wide, which of them are emphasised, and the first row of the
  ///   table that is shown.
  func lines(rows: Int?) -> (lines: [String], emphasised: Set<Int>, first: Int) {
    var lines = summary()
    let head = lines.count + 1
    lines += ["", TopRenderer.heading]
    var emphasised: Set = [head]
    var table = tableRows()
    var first = 0
    if let rows {
      let room = max(1, rows - lines.count - 1)
      first = min(view.first, max(0, table.count - room))
      table = Array(table.dropFirst(first).prefix(room))
    }
    for row in table {
      if row.isService { emphasised.insert(lines.count) }
      lines.append(TopRenderer.line(row))
    }
    if let rows {
      while lines.count < rows - 1 { lines.append("") }
      lines.append(footer)
      emphasised.insert(lines.count - 1)
      lines = Array(lines.prefix(rows))
    }
    return (lines.map { cut($0) }, emphasised, first)
  }

  private func cut(_ line: String) -> String { line.utf8.count <= columns ? line : String(line.prefix(columns)) }

  // MARK: - Above the table

  private func summary() -> [String] {
    let sample = difference.sample
    let services = sample.listing.services
    let servers = services.flatMap(\.servers)
    let active = servers.reduce(UInt64(0)) { $0 &+ $1.activeConns }
    let inactive = servers.reduce(UInt64(0)) { $0 &+ $1.inactiveConns }
    let percent = Int(sample.table.fill * 100 + 0.5)
    var lines = [
      "lbd: \(services.count) services, \(servers.count) servers; connections \(Self.short(active)) active, "
        + "\(Self.short(inactive)) inactive; table \(percent)% of \(Self.short(sample.table.connections))"
    ]
    for number in sample.workers.indices.prefix(Self.workerLimit) {
      let worker = difference.worker(number)
      let unit = difference.isMeasured ? "frames/s" : "frames"
      var line = "worker \(number): "
      if let percent = worker.percent { line += "\(percent)% busy, " }
      line += "\(Self.short(worker.frames)) \(unit), lost before it \(Self.short(worker.missed)), "
      lines.append(line + "no room to send \(Self.short(worker.refused))")
    }
    if sample.workers.count > Self.workerLimit { lines.append("and \(sample.workers.count - Self.workerLimit) more") }
    let unit = difference.isMeasured ? "/s" : ""
    let outcomes = difference.outcomes.map { "\($0.name) \(Self.short($0.count))\(unit)" }
    return lines + wrapped(outcomes.isEmpty ? ["no frames"] : outcomes)
  }

  /// Outcomes in as few lines as it takes, four at most.
  private func wrapped(_ words: [String]) -> [String] {
    var lines = ["frames:"]
    for word in words {
      if lines[lines.count - 1].utf8.count + word.utf8.count + 2 > columns {
        if lines.count == 4 { break }
        lines.append("       ")
      }
      lines[lines.count - 1] += " " + word
    }
    return lines
  }

  // MARK: - The table

  private static let heading =
    pad("SERVICE / server", 34, isLeft: true) + pad("CPS", 8) + pad("InPPS", 8) + pad("OutPPS", 8) + pad("InBPS", 8)
    + pad("OutBPS", 8) + pad("Active", 8) + pad("Inact", 8) + "  Method"

  private func tableRows() -> [TopRow] {
    let services = difference.sample.listing.services
    let rows = services.map { difference.row($0) }
    var table: [TopRow] = []
    for index in TopRow.sorted(rows, view.order) {
      let servers = services[index].servers.map { difference.row($0, of: services[index]) }
        + difference.absentRows(of: services[index])
      var shown = TopRow.sorted(servers, view.order).map { servers[$0] }
      if !view.filter.isEmpty, !Self.matches(rows[index], view.filter) {
        shown = shown.filter { Self.matches($0, view.filter) }
        if shown.isEmpty { continue }
      }
      table.append(rows[index])
      if view.showsServers { table += shown }
    }
    return table
  }

  private static func matches(_ row: TopRow, _ filter: String) -> Bool {
    (row.name + " " + row.note).lowercased().contains(filter.lowercased())
  }

  private static func line(_ row: TopRow) -> String {
    var line = pad((row.isService ? "" : "  ") + row.name, 34, isLeft: true)
    for number in [row.rates.cps, row.rates.inpps, row.rates.outpps, row.rates.inbps, row.rates.outbps] {
      line += pad(short(number), 8)
    }
    return line + pad(short(row.active), 8) + pad(short(row.inactive), 8) + "  " + row.note
  }

  private var footer: String {
    if view.isTyping { return "filter: \(view.filter)_" }
    var text = "q quit  s sort: \(view.order.rawValue)  / filter"
    if !view.filter.isEmpty { text += ": \(view.filter) (Esc: none)" }
    return text + "  v servers  p " + (view.isPaused ? "PAUSED" : "pause") + "  j k space b: move"
  }

  private static func pad(_ text: String, _ width: Int, isLeft: Bool = false) -> String {
    let gap = String(repeating: " ", count: max(isLeft ? 0 : 1, width - text.utf8.count))
    return isLeft ? text + gap : gap + text
  }

  /// At most five digits and a letter.
  static func short(_ number: UInt64) -> String {
    for (unit, letter) in [(UInt64(1_000_000_000_000), "T"), (1_000_000_000, "G"), (1_000_000, "M"), (1000, "k")]
    where number >= unit * 10 || number >= 100_000 && number >= unit {
      let tenths = number / (unit / 10)
      return tenths < 1000 ? "\(tenths / 10).\(tenths % 10)\(letter)" : "\(tenths / 10)\(letter)"
    }
    return "\(number)"
  }
}
