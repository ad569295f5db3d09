// When a tracked script counts as well: `rise` successes in a row bring it up, `fall` failures in a row take it down. keepalived
// keeps one number for both, 0 to rise + fall - 1, and the script is well from `rise` on; the first run of all decides
// at once, whatever the numbers.

/// What the runs of a tracked script have come to.
public struct ScriptVerdict: Hashable, Sendable {
  private let rise: Int
  private let most: Int
  private var count = 0
  /// Well or not; nil before the first run has ended.
  public private(set) var isWell: Bool?

  /// A script that has not run yet. Numbers below 1 count as 1.
  public init(rise: Int, fall: Int) {
    let limit = 1 << 30
    self.rise = min(max(rise, 1), limit)
    most = self.rise + min(max(fall, 1), limit) - 1
  }

  /// A new configuration with other numbers keeps the verdict.
  public init(rise: Int, fall: Int, keeping former: ScriptVerdict) {
    self.init(rise: rise, fall: fall)
    isWell = former.isWell
    count = isWell == true ? most : 0
  }

  /// A run has ended.
  /// - Returns: whether the verdict is another now.
  public mutating func take(success: Bool) -> Bool {
    let before = isWell
    if success {
      if before != nil, count < rise - 1 {
        count += 1
      } else {
        count = most
        isWell = true
      }
    } else if before != nil, count > rise {
      count -= 1
    } else {
      count = 0
      isWell = false
    }
    return isWell != before
  }
}
