/// One listing out of a `state.txt`.
struct StateListing: Equatable {
  /// Where it was taken and by which command: `final ipvsadm -Ln`.
  var heading: String
  var lines: [String]

  /// Reads the listings of a `state.txt`: `## WHEN`, then `# COMMAND` with its lines below; `$` lines are commands
  /// carried out in between.
  static func parse(_ text: String) -> [StateListing] {
    var listings: [StateListing] = []
    var mark = ""
    for line in text.split(separator: "\n") {
      if line.hasPrefix("## ") {
        mark = String(line.dropFirst(3))
      } else if line.hasPrefix("# ") {
        let command = line.dropFirst(2).split(separator: " |")[0]
        listings.append(StateListing(heading: "\(mark) \(command)", lines: []))
      } else if !line.hasPrefix("$ "), !listings.isEmpty {
        listings[listings.count - 1].lines.append(String(line))
      }
    }
    return listings.map(\.comparable)
  }

  /// As it can be compared: connections stand in no particular order, and how long they have left depends on how long the
  /// recording took. All other listings count to the letter, but for blanks at the ends of lines.
  private var comparable: StateListing {
    var copy = self
    guard heading.contains("-Lnc") else {
      copy.lines = lines.map { String($0.reversed().drop { $0 == " " }.reversed()) }.filter { !$0.isEmpty }
      return copy
    }
    let entries = lines.filter { !$0.hasPrefix("IPVS") && !$0.hasPrefix("pro ") }
    copy.lines =
      entries.map { line in
        var words = line.split(separator: " ")
        if words.count > 1 { words.remove(at: 1) }
        return words.joined(separator: " ")
      }.sorted()
    return copy
  }

  /// A line for each listing that is not as recorded.
  static func differences(want: [StateListing], have: [StateListing]) -> [String] {
    var lines: [String] = []
    if want.count != have.count { lines.append("want \(want.count) listings, got \(have.count)") }
    for (index, (left, right)) in zip(want, have).enumerated() where left.lines != right.lines {
      let missing = left.lines.filter { !right.lines.contains($0) }
      let extra = right.lines.filter { !left.lines.contains($0) }
      lines.append("listing \(index) (\(left.heading)): want \(missing), got \(extra)")
    }
    return lines
  }
}
