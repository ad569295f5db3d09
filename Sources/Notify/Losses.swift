/// Losses of one kind: said when they begin, and again with their number when they are over. A log that is flooded helps
/// nobody.
struct Losses {
  /// Since they began.
  private(set) var count = 0

  /// One more.
  /// - Returns: true for the first one, which is to be said.
  mutating func add() -> Bool {
    count += 1
    return count == 1
  }

  /// It works again.
  /// - Returns: how many there were; nil when there were none.
  mutating func end() -> Int? {
    defer { count = 0 }
    return count > 0 ? count : nil
  }
}
