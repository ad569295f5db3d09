/// Things due at some time, the earliest first: a binary heap. Of equal times, the one with the smaller number.
struct TimeQueue {
  private var items: [(time: UInt64, number: Int)] = []

  /// When the earliest is due.
  var first: UInt64? { items.first?.time }

  mutating func push(_ number: Int, at time: UInt64) {
    items.append((time, number))
    var child = items.count - 1
    while child > 0, items[child] < items[(child - 1) / 2] {
      items.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func pop() -> Int? {
    guard let earliest = items.first else { return nil }
    let last = items.removeLast()
    if items.isEmpty { return earliest.number }
    items[0] = last
    var parent = 0
    while 2 * parent + 1 < items.count {
      var child = 2 * parent + 1
      if child + 1 < items.count, items[child + 1] < items[child] { child += 1 }
      if items[parent] <= items[child] { break }
      items.swapAt(parent, child)
      parent = child
    }
    return earliest.number
  }
}
