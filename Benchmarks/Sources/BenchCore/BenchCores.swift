import Kernel

/// Where measurements run.
public enum BenchCores {
  /// The cores that measurements use, ascending.
  public static var available: [Int] { Thread.availableCores() }

  /// Keeps the calling thread on the last core: the first has the machine's interrupts.
  public static func pinToLast() throws {
    guard let core = available.last else { throw BenchError("choose a core: the system names none") }
    try Thread.pinCurrent(to: core)
  }
}
