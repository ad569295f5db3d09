import BenchReport

/// What is said of one forwarder at one number of flows.
struct WireCell {
  let mode: String
  let port: String
  let flows: Int
  let rounds: Rounds
  /// Connections in lbd's table when measuring began.
  var established: Int?
  /// Packets lost for want of a ring entry, in all rounds.
  var ringFull: Int?
  var referenceRingFull: Int?
  /// Packets that lbd received and neither forwarded nor lost at a full ring.
  var strays: Int?
  /// System calls per thousand packets.
  var kicks: Double?
  var referenceKicks: Double?
  var sleeps: Double?
  var referenceSleeps: Double?

  private var ours: [Stretch] { rounds.counted.map(\.ours) }
  private var theirs: [Stretch] { rounds.counted.map(\.theirs) }

  init(mode: String, port: String, flows: Int, rounds: Rounds) {
    self.mode = mode
    self.port = port
    self.flows = flows
    self.rounds = rounds
  }

  private static func median(_ stretches: [Stretch], _ value: (Stretch) -> Double) -> Double {
    Sample(stretches.map(value)).median
  }

  /// The fields of `results/wire.json`; those that begin with `reference` are the C forwarder's.
  ///
  /// - `mode`, `port`, `flows`: the cell; for the kernel's own forwarding `ip_forward` and `kernel`.
  /// - `mpps`: million packets a second at the sink; `ratio`: median over the rounds of ours / the C forwarder's.
  /// - `cpuNsPerPacket`: CPU time of the forwarder's process for each packet at the sink (for `ip_forward`: of the
  ///   generator, in which all of it runs); `ratioCpu`: median over the rounds of the C forwarder's / ours.
  /// - `share`: how much of its core the forwarder got; below 0.9 other programs were in the way.
  /// - `rounds`, `disturbedRounds`: how many were measured, and in how many of them a share was below 0.8 even so.
  /// - `offeredMpps`, `bytesPerPacket`: what the generator sent, and what a packet at the sink was long.
  /// - `newConnections`: in lbd's table when measuring began; `strays`: packets passed to the kernel or dropped since.
  /// - `ringFull`: packets lost for want of a ring entry, in all rounds.
  /// - `kicksPerThousand`, `sleepsPerThousand`: sendto and poll calls per thousand packets.
  var cell: Cell {
    var cell = Cell(part: "wire")
    cell["mode"] = .text(mode)
    cell["port"] = .text(port)
    cell["flows"] = .integer(flows)
    cell["mpps"] = .number(WireCell.median(ours, \.mpps))
    cell["referenceMpps"] = .number(WireCell.median(theirs, \.mpps))
    cell["ratio"] = .number(Sample.pairedRatioMedian(ours.map(\.mpps), theirs.map(\.mpps)))
    cell["cpuNsPerPacket"] = .number(WireCell.median(ours, \.nanosecondsPerPacket))
    cell["referenceCpuNsPerPacket"] = .number(WireCell.median(theirs, \.nanosecondsPerPacket))
    cell["ratioCpu"] = .number(
      Sample.pairedRatioMedian(theirs.map(\.nanosecondsPerPacket), ours.map(\.nanosecondsPerPacket)))
    cell["share"] = .number(WireCell.median(ours, \.share))
    cell["referenceShare"] = .number(WireCell.median(theirs, \.share))
    cell["offeredMpps"] = .number(WireCell.median(ours) { Double($0.offered) / $0.seconds / 1e6 })
    cell["bytesPerPacket"] = .number(WireCell.median(ours) { Double($0.bytes) / Double(max(1, $0.packets)) })
    addCounts(&cell)
    cell["rounds"] = .integer(ours.count)
    cell["disturbedRounds"] = .integer(rounds.disturbed)
    if port == "xdp" { cell.judge(Goal("ratio", .atLeast, flows > 1000 ? 0.9 : 0.95)) }
    return cell
  }

  private func addCounts(_ cell: inout Cell) {
    cell["newConnections"] = established.map { .integer($0) }
    cell["ringFull"] = ringFull.map { .integer($0) }
    cell["referenceRingFull"] = referenceRingFull.map { .integer($0) }
    cell["strays"] = strays.map { .integer($0) }
    cell["kicksPerThousand"] = kicks.map { .number($0) }
    cell["referenceKicksPerThousand"] = referenceKicks.map { .number($0) }
    cell["sleepsPerThousand"] = sleeps.map { .number($0) }
    cell["referenceSleepsPerThousand"] = referenceSleeps.map { .number($0) }
  }
}

extension PartReport {
  /// The report of this part, with the cells measured.
  public static func wire(_ cells: [Cell], command: String) -> PartReport {
    var report = PartReport(
      part: "wire", title: "On the wire: lbd against a forwarder in C that does nothing", command: command,
      columns: [
        Column("mode"), Column("port"), Column("flows", "flows", .short), Column("mpps", "Mpps", .fixed(3)),
        Column("referenceMpps", "C Mpps", .fixed(3)), Column("ratio", "ratio", .fixed(3)),
        Column("cpuNsPerPacket", "CPU ns", .fixed(0)), Column("referenceCpuNsPerPacket", "C CPU ns", .fixed(0)),
        Column("ratioCpu", "CPU ratio", .fixed(3)), Column("share", "share", .percent(0)),
        Column("referenceShare", "C share", .percent(0)), Column("newConnections", "connections"),
        Column("ringFull", "ring full", .short), Column("referenceRingFull", "C ring full", .short),
        Column("kicksPerThousand", "kicks/1000", .fixed(1)),
        Column("referenceKicksPerThousand", "C kicks/1000", .fixed(1)), Column("disturbedRounds", "disturbed"),
      ],
      plots: [
        BarPlot(
          "ratio", title: "Packets per second on the wire, lbd / do-nothing forwarder in C", y: "ratio",
          group: ["port", "mode"], bars: .cells(field: "ratio", series: ["flows"]), goal: 0.95)
      ])
    report.notes = [
      "Rates are of packets that reached the sink, 60 bytes each, offered faster than any forwarder takes them: what is too "
        + "much is lost before the forwarder, as \"ring full\".",
      "The sending side of the veth and the sink run in the forwarder's own time, some 1000 ns a packet, whatever the "
        + "program; for ip_forward everything does, the generator too, in the generator's.",
      "Generator on core 0, forwarder on core 1; ratio: the median of the rounds' own ratios.",
    ]
    for cell in cells { report.add(cell) }
    return report
  }
}
