// A new configuration while checks run.
//
// keepalived's rule: a check goes on with what it knows when the new text has one of the same server that asks the same
// of the same target; everything else starts as new. Where it stands among the server's checks does not matter. Times
// may change without anything being forgotten: a shorter loop takes effect at once.

/// What a new set of checks has led to.
public struct CheckUpdate: Hashable, Sendable {
  /// Of checks that are new or have another name: what they think.
  public var reports: [CheckReport] = []
  /// Attempts under way of checks that are gone: they count no more.
  public var ended: [CheckAttempt] = []
}

extension CheckEngine {
  /// What makes a check the one it was.
  private struct Identity: Hashable {
    let service: String
    let server: String
    let kind: CheckKind
    let target: CheckTarget

    init(_ check: NamedCheck) {
      service = check.id.service
      server = check.id.server
      kind = check.definition.kind
      target = check.definition.target
    }
  }

  /// Replaces all checks. Of several with one name the first is taken.
  public mutating func update(to checks: [NamedCheck], atNanoseconds now: UInt64) -> CheckUpdate {
    var wanted: [NamedCheck] = []
    var names: Set<CheckID> = []
    for check in checks where names.insert(check.id).inserted { wanted.append(check) }
    let kept = successors(of: wanted)

    var update = CheckUpdate()
    let stay = Set(kept.values)
    for number in order where !stay.contains(number) {
      if let attempt = takeBack(number) { update.ended.append(attempt) }
      remove(number)
    }
    var isNews: [Bool] = []
    order = wanted.enumerated().map { index, check in
      guard let number = kept[index] else {
        isNews.append(true)
        return add(check, atNanoseconds: now)
      }
      isNews.append(slots[number]?.check.id != check.id)
      retime(number, as: check, atNanoseconds: now)
      return number
    }
    numbers = Dictionary(uniqueKeysWithValues: zip(wanted.map(\.id), order))
    for (number, isNew) in zip(order, isNews) where isNew {
      guard let slot = slots[number] else { continue }
      update.reports.append(report(.added, of: number, slot, atNanoseconds: now))
    }
    return update
  }

  /// For each check that goes on, by its place in `wanted`: its slot. Those that keep their name first.
  private func successors(of wanted: [NamedCheck]) -> [Int: Int] {
    var kept: [Int: Int] = [:]
    var taken: Set<Int> = []
    for (index, check) in wanted.enumerated() {
      guard let number = numbers[check.id], let old = slots[number]?.check, Identity(old) == Identity(check) else {
        continue
      }
      kept[index] = number
      taken.insert(number)
    }
    var rest: [Identity: [Int]] = [:]
    for number in order.reversed() where !taken.contains(number) {
      if let old = slots[number]?.check { rest[Identity(old), default: []].append(number) }
    }
    for (index, check) in wanted.enumerated() where kept[index] == nil {
      kept[index] = rest[Identity(check)]?.popLast()
    }
    return kept
  }

  private mutating func retime(_ number: Int, as check: NamedCheck, atNanoseconds now: UInt64) {
    let before = slots[number]?.check.definition.times.delayLoop
    slots[number]?.check = check
    let loop = check.definition.times.delayLoop
    guard let next = due.due(number), loop != before else { return }
    due.set(number, due: min(next, now.adding(loop.nanoseconds)))
  }
}
