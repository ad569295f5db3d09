import Glibc
import Kernel

/// Runs what pins its thread on a thread that nobody else uses.
enum PinnedResult {
  static func of<Value: Sendable>(_ body: () throws -> Value) throws -> Value {
    nonisolated(unsafe) var result: Result<Value, any Error>?
    try withoutActuallyEscaping(body) { body in
      nonisolated(unsafe) let body = body
      try PinnedThread.start(name: "bench", core: nil) { result = Result(catching: body) }.join()
    }
    guard let result else { preconditionFailure("a thread that was joined has run") }
    return try result.get()
  }
}
