import CShims
import Glibc
import Testing

@testable import Kernel

/// Interfaces, in a network namespace that lives as long as a thread.
enum DeviceSandbox {
  static let isAvailable: Bool = geteuid() == 0 && (try? run { true }) ?? false

  private final class Box<Value>: @unchecked Sendable {
    var result: Result<Value, any Error>?
  }

  static func run<Value>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
    let box = Box<Value>()
    try PinnedThread.start(name: "sandbox", core: nil) {
      box.result = Result {
        let error = lbd_thread_unshare_network()
        guard error == 0 else { throw SystemError("make network namespace", errno: error) }
        return try body()
      }
    }.join()
    return try #require(box.result).get()
  }
}
