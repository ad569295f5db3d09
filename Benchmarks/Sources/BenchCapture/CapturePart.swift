import BenchReport
import Config
import Control

/// The part `capture`: generated captures through the loop of a worker, as `lbd bench replay` does it.
public struct CapturePart {
  /// A capture and the services it is for.
  struct Plan {
    var services: SampleServices
    var flows: Int
    var packets: Int?
  }

  private let plans: [Plan]
  private let seconds: Double

  /// - Parameter isQuick: less traffic, for a shorter time.
  public init(isQuick: Bool) {
    seconds = isQuick ? 1 : 5
    let flows = isQuick ? 2000 : 10_000
    let methods = SampleServices.allCases.filter { $0 != .all }
    plans =
      methods.map { Plan(services: $0, flows: flows) } + [
        Plan(services: .all, flows: flows),
        Plan(services: .all, flows: isQuick ? 20_000 : 100_000, packets: isQuick ? 200_000 : 1_000_000),
      ]
  }

  /// Runs it.
  public func run(command: String) throws -> PartReport {
    var report = PartReport(
      part: "capture", title: "Captures through the loop", command: command, columns: CapturePart.columns,
      plots: CapturePart.plots)
    report.notes = [
      "Rates are of the turns alone, in memory, on one core; a batch is 64 packets.",
      "Disturbed: the share of the time in batches over ten times the median, because the core was taken away; where"
        + " that is much, read the median.",
      "Flows are short, so that connections are opened and closed all the time: one packet in six is a SYN or a FIN.",
    ]
    var progress = Progress(part: "capture", steps: 2 * plans.count)
    for plan in plans {
      let name = "\(plan.services) \(plan.flows) flows"
      progress.step("generating \(name)")
      let bench = try bench(plan)
      progress.step("replaying \(name)")
      report.add(try cell(plan, try bench.run { progress.detail("replaying \(name), \($0) passes") }))
    }
    progress.finish()
    return report
  }

  /// Generates and loads a capture; by way of memory, so that no file is left behind however this ends.
  private func bench(_ plan: Plan) throws -> CaptureBench {
    let file = try MemoryFile(name: "lbd-bench-capture")
    let (configuration, found) = parseConfiguration(bytes: Array(plan.services.text.utf8), file: "\(plan.services)")
    if let finding = found.first(where: { $0.severity == .error }) { throw CapturePartError("\(finding)") }
    var options = CaptureGenerator.Options()
    options.flows = plan.flows
    options.packets = plan.packets
    var generator = try CaptureGenerator(configuration: configuration, name: "\(plan.services)", options: options)
    _ = try generator.write(to: file.path)
    var benchOptions = CaptureBench.Options()
    benchOptions.seconds = seconds
    let bench = try CaptureBench(
      configuration: configuration, topology: try TopologyFile.parse(generator.topology, name: "\(plan.services)"),
      capture: file.path, options: benchOptions)
    if let note = bench.notes.first { throw CapturePartError(note) }
    return bench
  }

  private func cell(_ plan: Plan, _ result: CaptureBenchResult) throws -> Cell {
    // Every frame of these captures can be forwarded; another outcome would be another measurement.
    guard result.isBalanced, result.statistics.sum(.forwarded) == result.packets else {
      throw CapturePartError("\(plan.services), \(plan.flows) flows: not all was forwarded: \(result.balance)")
    }
    var cell = Cell(part: "capture")
    cell["mode"] = .text("\(plan.services)")
    cell["flows"] = .integer(plan.flows)
    cell["frames"] = .integer(result.frames)
    cell["bytesPerFrame"] = .number(Double(result.byteCount) / Double(result.frames))
    cell["packetsPerSecond"] = .integer(Int(result.packetsPerSecond))
    cell["nsPerPacket"] = .number(result.nanosecondsPerPacket)
    cell["nsPerPacketMedian"] = .number(result.medianNanosecondsPerPacket)
    cell["disturbedShare"] = .number(result.times.disturbedShare)
    cell["gbitPerSecond"] = .number(result.gigabitsPerSecond)
    cell["batches"] = .integer(Int(result.batches))
    cell["batchNsMin"] = .integer(Int(result.times.minimum))
    cell["batchNsP50"] = .integer(Int(result.times.p50))
    cell["batchNsP99"] = .integer(Int(result.times.p99))
    cell["batchNsP999"] = .integer(Int(result.times.p999))
    cell["batchNsMax"] = .integer(Int(result.times.maximum))
    cell["forwarded"] = .integer(Int(result.statistics.sum(.forwarded)))
    cell["passed"] = .integer(Int(result.statistics.sum(.passed)))
    cell["dropped"] = .integer(Int(result.statistics.sum(.dropped)))
    return cell
  }

  private static let columns = [
    Column("mode", "services"), Column("flows"), Column("frames"), Column("bytesPerFrame", "bytes/frame", .fixed(0)),
    Column("packetsPerSecond", "Mpps", .millions(2)), Column("nsPerPacket", "ns/packet", .fixed(1)),
    Column("nsPerPacketMedian", "median", .fixed(1)), Column("disturbedShare", "disturbed", .percent(0)),
    Column("gbitPerSecond", "Gbit/s", .fixed(1)), Column("batchNsMin", "batch ns: min"), Column("batchNsP50", "p50"),
    Column("batchNsP99", "p99"), Column("batchNsP999", "p99.9"), Column("batchNsMax", "max"),
  ]

  private static let plots: [any Plot] = [
    BarPlot(
      "batch", title: "What a batch of 64 packets takes", y: "nanoseconds", group: ["mode", "flows"],
      bars: .fields([("batchNsMin", "fastest"), ("batchNsP50", "median"), ("batchNsP99", "99 %")]))
  ]
}

/// A capture that does not do what it was made for.
public struct CapturePartError: Error, CustomStringConvertible {
  /// What is wrong.
  public let description: String

  init(_ description: String) { self.description = description }
}
