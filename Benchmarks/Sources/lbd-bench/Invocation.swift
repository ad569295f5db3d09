import Glibc

/// How the program was called.
enum Invocation {
  /// True with QUICK in the environment.
  static var isQuick: Bool { getenv("QUICK").map { String(cString: $0) }.map { !$0.isEmpty && $0 != "0" } ?? false }

  /// The command, to be quoted beside its results.
  static var command: String { (["lbd-bench"] + CommandLine.arguments.dropFirst()).joined(separator: " ") }
}
