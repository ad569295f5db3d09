import Kernel

/// Where measurements run.
enum BenchCores {
  /// The cores that measurements use, ascending.
  static var available: [Int] { Thread.availableCores() }

  /// Keeps the calling thread on the last core: the first has the machine's interrupts.
  static func pinToLast() throws {
    guard let core = available.last else { throw BenchError("choose a core: the system names none") }
    try Thread.pinCurrent(to: core)
  }
}
