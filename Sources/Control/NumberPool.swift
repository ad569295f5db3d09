/// Hands out small numbers; a number that has come back is used last.
struct NumberPool {
  private var next: Int
  private let last: Int
  private var returned: [UInt16] = []

  init(range: ClosedRange<UInt16>) {
    next = Int(range.lowerBound)
    last = Int(range.upperBound)
  }

  mutating func take() -> UInt16? {
    if next <= last {
      next += 1
      return UInt16(next - 1)
    }
    return returned.isEmpty ? nil : returned.removeFirst()
  }

  mutating func give(_ number: UInt16) { returned.append(number) }
}
