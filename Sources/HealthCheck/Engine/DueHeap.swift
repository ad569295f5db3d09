/// Which of many numbered things is due first: a binary heap that knows where each number stands, so that one can be
/// put off or taken out without a search.
///
/// Numbers are small and dense (slots of a table); ties go to the smaller number.
struct DueHeap: Sendable {
  private var heap: [Int] = []
  /// Per number: its place in the heap, -1 when it has none.
  private var places: [Int] = []
  private var times: [UInt64] = []

  /// How many have a time.
  var count: Int { heap.count }

  /// The earliest.
  var first: (number: Int, due: UInt64)? { heap.first.map { ($0, times[$0]) } }

  /// When `number` is due; nil for none.
  func due(_ number: Int) -> UInt64? {
    number < places.count && places[number] >= 0 ? times[number] : nil
  }

  /// Gives `number` a time, in place of the one that it has.
  mutating func set(_ number: Int, due: UInt64) {
    while places.count <= number {
      places.append(-1)
      times.append(0)
    }
    times[number] = due
    if places[number] < 0 {
      places[number] = heap.count
      heap.append(number)
    }
    rise(from: places[number])
    sink(from: places[number])
  }

  /// Takes the time of `number` away, if it has one.
  mutating func remove(_ number: Int) {
    guard number < places.count, places[number] >= 0 else { return }
    let place = places[number]
    places[number] = -1
    let last = heap.removeLast()
    guard place < heap.count else { return }
    heap[place] = last
    places[last] = place
    rise(from: place)
    sink(from: places[last])
  }

  private func precedes(_ left: Int, _ right: Int) -> Bool {
    (times[left], left) < (times[right], right)
  }

  private mutating func rise(from start: Int) {
    var place = start
    while place > 0, precedes(heap[place], heap[(place - 1) / 2]) {
      exchange(place, (place - 1) / 2)
      place = (place - 1) / 2
    }
  }

  private mutating func sink(from start: Int) {
    var place = start
    while true {
      var least = place
      for child in 2 * place + 1...2 * place + 2 where child < heap.count && precedes(heap[child], heap[least]) {
        least = child
      }
      guard least != place else { return }
      exchange(place, least)
      place = least
    }
  }

  private mutating func exchange(_ left: Int, _ right: Int) {
    heap.swapAt(left, right)
    places[heap[left]] = left
    places[heap[right]] = right
  }
}
