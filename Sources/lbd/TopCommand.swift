import ArgumentParser
import Control
import Kernel

/// `lbd top`: services, servers, workers, as they run.
struct TopCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "top",
    abstract: "Watch a running lbd: services, servers, rates, connections, outcomes, workers.",
    discussion: """
      Keys: q quits; s and S sort by the next and the last column; / filters by what is typed, Esc shows all again; v hides
      and shows servers; p pauses; j, k, arrows, space, b and page keys move.
      """)

  @Option(name: .shortAndLong, help: "Seconds between two looks (0.2 to 3600).")
  var delay = 2.0

  @Flag(help: "Print lines instead, for scripts; see --count.")
  var batch = false

  @Flag(help: "Print once, and end.")
  var once = false

  @Option(help: "How often to print with --batch.")
  var count = 2

  @Option(help: "Column to sort by: \(TopLoop.orders.joined(separator: ", ")).")
  var sort = TopLoop.orders[0]

  @Option(help: "Only services and servers that contain this.")
  var filter = ""

  @Option(help: "Where lbd listens (default: LBD_SOCKET, or /run/lbd.sock).")
  var socket: String?

  func validate() throws {
    guard (0.2...3600).contains(delay) else { throw ValidationError("--delay takes 0.2 to 3600 seconds") }
    guard (1...1_000_000).contains(count) else { throw ValidationError("--count takes 1 to 1000000") }
    guard TopLoop.orders.contains(sort) else {
      throw ValidationError("--sort takes one of \(TopLoop.orders.joined(separator: ", "))")
    }
  }

  func run() throws {
    try reportingErrors {
      var loop = TopLoop(
        path: socket ?? AdminClient.defaultPath, seconds: delay, count: once ? 1 : count, order: sort, filter: filter)
      if batch || once { return try loop.print() }
      guard Terminal.isThere else { throw CommandFailure("top wants a terminal (or --batch, or --once)") }
      try loop.show()
    }
  }
}
