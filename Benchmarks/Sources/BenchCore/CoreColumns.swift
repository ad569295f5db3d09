import BenchReport

/// How the part is shown.
extension CorePart {
  static let columns: [Column] = [
    Column("mode"), Column("family"), Column("kind"), Column("scheduler"), Column("connections", nil, .short),
    Column("reference"), Column("nsPerPacket", "ns/packet", .fixed(1)),
    Column("referenceNsPerPacket", "reference", .fixed(1)), Column("ratio", nil, .fixed(3)),
    Column("mppsPerCore", "Mpps", .fixed(1)), Column("connectionsPerSecond", "M conn/s", .millions(2)),
    Column("bytesPerConnection", "B/conn", .fixed(1)), Column("relativeTo1k", "to 1 k", .percent(0)),
    Column("instructionsPerPacket", "instr/packet", .fixed(0)), Column("passed"),
  ]

  static let plots: [any Plot] = [
    LinePlot(
      "ratio", title: "Ratio to the same loop in C", x: ("connections", "connections"), y: ("ratio", "ours / C"),
      series: ["mode", "family"], goal: 1.05, where: CorePart.isGrid),
    LinePlot(
      "time", title: "Established traffic", x: ("connections", "connections"), y: ("nsPerPacket", "ns per packet"),
      series: ["mode", "family"], where: CorePart.isGrid),
  ]

  @Sendable static func isGrid(_ cell: Cell) -> Bool {
    cell["kind"] == .text("established") && cell["reference"] == .text("same")
  }

  static let notes = [
    "established: open connections in random order; NAT and FULLNAT: batches of requests and of replies in turns.",
    "new: a SYN of another client each, into a table that is emptied when half full; ns/packet is ns/connection.",
    "fullnat: a table for half as many again, because one that is nominally full refuses a few connections.",
    "mix: 10 % SYNs, as many FIN or RST; on a clock that runs faster, so that as many expire as are opened.",
    "instr/packet: as recorded in Benchmarks/instructions.tsv (count-instructions.sh), not counted in this run.",
    "plain: a loop without services, states and expiry, with a table of two lines a flow; requests only.",
  ]
}
