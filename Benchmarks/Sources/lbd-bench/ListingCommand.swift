import ArgumentParser
import BenchCore

/// What listing all connections costs the worker.
struct ListingCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "listing",
    abstract: "The rate of a worker while all its connections are listed, and the memory that takes."
  )

  @Option(help: "Connections in the table.") var connections = 10_000_000
  @Option(help: "Pairs of stretches, with and without a listing.") var pairs = 60
  @Option(help: "Path of ipvsadm.") var ipvsadm = ".build/release/ipvsadm"

  func validate() throws {
    guard (1024...40_000_000).contains(connections) else { throw ValidationError("--connections: 1024 to 40000000") }
    guard (1...100_000).contains(pairs) else { throw ValidationError("--pairs: 1 to 100000") }
  }

  func run() throws {
    let result = try ListingBench(reader: ipvsadm, connections: connections, pairs: pairs).run()
    func one(_ number: Double) -> String { "\((number * 10).rounded() / 10)" }
    func mebibytes(_ count: Int) -> String { one(Double(count) / 1_048_576) + " MiB" }
    print("\(connections) connections; \(result.lines) lines read; one listing by itself \(one(result.seconds)) s")
    print("worker, ns per packet: \(one(result.quiet.median)) without, \(one(result.listing.median)) while listing")
    print(
      "rate while listing / rate without, median of \(result.ratio.count) pairs: "
        + "\((result.ratio.median * 1000).rounded() / 1000) (quartiles "
        + "\((result.ratio.percentile(25) * 1000).rounded() / 1000), "
        + "\((result.ratio.percentile(75) * 1000).rounded() / 1000))")
    print(
      "resident memory: lbd \(mebibytes(result.residentBefore)) before, at most \(mebibytes(result.residentDuring)) "
        + "while listing; ipvsadm at most \(mebibytes(result.readerResident))")
  }
}
