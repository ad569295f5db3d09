/// Both forwarders, one right after the other.
struct Round {
  let theirs: Stretch
  let ours: Stretch

  /// The smaller share of the core that one of them got.
  var share: Double { min(theirs.share, ours.share) }
}

/// The rounds of one cell.
///
/// A forwarder that had to leave its core, or whose generator had to, says nothing about its rate: such a round is measured
/// again, up to a limit. Where too few are left in the end (a machine that is never quiet, or a load that does not fill
/// the core), those with the largest shares stand for the cell.
struct Rounds {
  /// Below this share of a core a round is measured again.
  static let leastShare = 0.8
  private static let attemptFactor = 3

  /// Those that count.
  let counted: [Round]
  /// How many of those had less than the least share.
  var disturbed: Int { counted.count { $0.share < Rounds.leastShare } }

  /// Measures until enough rounds are undisturbed.
  init(wanted: Int, _ measure: () throws -> Round) rethrows {
    var all: [Round] = []
    while all.count < wanted * Rounds.attemptFactor, all.count(where: { $0.share >= Rounds.leastShare }) < wanted {
      all.append(try measure())
    }
    counted = Array(all.sorted { $0.share > $1.share }.prefix(wanted))
  }
}
