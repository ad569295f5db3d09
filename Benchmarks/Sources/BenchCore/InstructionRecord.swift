import BenchReport

/// The recorded instructions per packet, `Benchmarks/instructions.tsv`.
enum InstructionRecord {
  /// lbd's, by cell; empty when there is no record.
  static func read() -> [String: Double] {
    // Beside the folder of the results.
    let folder = ResultFiles.defaultDirectory().split(separator: "/", omittingEmptySubsequences: false).dropLast()
    guard let text = SystemFile.read((folder + ["instructions.tsv"]).joined(separator: "/")) else { return [:] }
    var record: [String: Double] = [:]
    for line in text.split(separator: "\n").dropFirst() {
      let fields = line.split(separator: "\t")
      if fields.count > 1, let count = Double(fields[1]) { record[String(fields[0])] = count }
    }
    return record
  }
}
