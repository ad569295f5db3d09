import Dataplane

/// The dataplane's account of every frame, as text: what became of how many.
public struct Report {
  let listing: Listing
  let statistics: Statistics

  /// Services, connections, outcomes and the balance, under headings that programs can find.
  public func text(nowNanoseconds: UInt64) -> String {
    "# services\n" + listing.services(banner: true)
      + "# connections\n" + listing.connections(nowNanoseconds: nowNanoseconds, limit: 100_000)
      + "# outcomes\n" + outcomes() + "# balance\n" + balance() + "\n"
  }

  /// One line per outcome, zeros included.
  public func outcomes() -> String {
    var text = "received \(statistics.received)\n"
    for outcome in Outcome.allCases where outcome != .pending {
      text += "\(outcome.name) \(statistics.outcomes[outcome] ?? 0)\n"
    }
    text += "originated \(statistics.originated)\nexpired \(statistics.expired)\nmissed \(statistics.missed)\n"
    text += "unconveyed \(statistics.unconveyed)\n"
    return text
  }

  /// False when a frame is unaccounted for.
  public var isBalanced: Bool { statistics.isBalanced }

  /// Fragments that wait, if there are any.
  private var held: String { statistics.sum(.held) == 0 ? "" : " + held \(statistics.sum(.held))" }

  /// `received 7 = forwarded 5 + passed 1 + dropped 1`, or with `!=` when a frame is unaccounted for.
  public func balance() -> String {
    let sign = statistics.isBalanced ? "=" : "!="
    return "received \(statistics.received) \(sign) forwarded \(statistics.sum(.forwarded))"
      + " + passed \(statistics.sum(.passed)) + dropped \(statistics.sum(.dropped))" + held
  }
}
