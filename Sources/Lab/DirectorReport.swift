/// What the director writes on SIGUSR1 and at its end: four sections of plain text.
public struct DirectorReport: Sendable, Equatable {
  /// One way a frame can end, with how many did.
  public struct Outcome: Sendable, Equatable {
    /// `forwarded.directRouting`.
    public let name: String
    /// Frames.
    public let count: UInt64
  }

  /// The services, as `ipvsadm -Ln` prints them.
  public let services: [String]
  /// The connections, as `ipvsadm -Lnc` prints them.
  public let connections: [String]
  /// Frames by outcome, in the director's order; `received` is one of them.
  public let outcomes: [Outcome]
  /// The line that says that nothing is unexplained.
  public let balance: String

  /// Parses a report; nil while it is incomplete.
  public init?(_ text: String) {
    var sections: [String: [String]] = [:]
    var name = ""
    for line in text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init) {
      if line.hasPrefix("# ") {
        name = String(line.dropFirst(2))
        sections[name] = []
      } else {
        sections[name, default: []].append(line)
      }
    }
    guard let services = sections["services"], let connections = sections["connections"],
      let counters = sections["outcomes"], let balance = sections["balance"]?.first, text.hasSuffix("\n")
    else { return nil }
    self.services = services
    self.connections = connections
    self.balance = balance
    outcomes = counters.compactMap { line in
      let words = line.split(separator: " ")
      guard words.count == 2, let count = UInt64(words[1]) else { return nil }
      return Outcome(name: String(words[0]), count: count)
    }
  }

  /// The count of one outcome, 0 when it does not occur.
  public func count(_ name: String) -> UInt64 { outcomes.first { $0.name == name }?.count ?? 0 }

  /// The sum over `forwarded.…`, `passed.…`, `dropped.…` or `held.…`.
  public func sum(_ group: String) -> UInt64 {
    outcomes.reduce(0) { $1.name.hasPrefix(group + ".") ? $0 &+ $1.count : $0 }
  }

  /// Nil when received = forwarded + passed + dropped + held holds, in the balance line and over the outcomes; else why
  /// not. A line that does not say how many are held has none.
  public var imbalance: String? {
    let numbers = balance.split(separator: " ").compactMap { UInt64($0) }
    let isWhole = (4...5).contains(numbers.count) && balance.hasPrefix("received ")
    guard isWhole else { return "no balance line: `\(balance)`" }
    guard numbers[0] == numbers.dropFirst().reduce(0, &+) else { return "does not add up: \(balance)" }
    let pairs = zip(["forwarded", "passed", "dropped", "held"], numbers.dropFirst())
    if let wrong = pairs.first(where: { sum($0.0) != $0.1 }) {
      return "\(wrong.0) is \(wrong.1) in the balance but \(sum(wrong.0)) by outcome"
    }
    return count("received") == numbers[0] ? nil : "received is \(count("received")) by outcome: \(balance)"
  }
}
