import Foundation
import Glibc
import Testing

@testable import Kernel

/// A network namespace of a thread of its own, with a veth pair `near` and `far`; it goes when the thread ends.
struct BPFNamespace: Sendable {
  /// The interface index of one end.
  func index(_ name: String) -> UInt32 { if_nametoindex(name) }

  /// Runs `ip` or `tc` in this namespace.
  func run(_ command: String) throws {
    let words = command.split(separator: " ").map(String.init)
    let arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    var child: pid_t = 0
    var status: Int32 = 0
    let error = posix_spawnp(&child, words[0], nil, nil, arguments, environ)
    guard error == 0, waitpid(child, &status, 0) == child, status == 0 else {
      throw SystemError("run `\(command)`", errno: error == 0 ? EIO : error)
    }
  }

  /// Runs `body` on a thread inside a new namespace and passes on what it throws.
  static func with(_ body: @escaping @Sendable (BPFNamespace) throws -> Void) throws {
    let failure = Failure()
    let done = DispatchSemaphore(value: 0)
    let thread = Thread {
      defer { done.signal() }
      do {
        try enterNew()
        let namespace = BPFNamespace()
        try namespace.run("ip link set lo up")
        // The addresses of BPFFrame: near sends to far.
        try namespace.run(
          "ip link add near address 02:00:00:00:00:02 type veth peer name far address 02:00:00:00:00:01")
        try namespace.run("ip link set near up")
        try namespace.run("ip link set far up")
        try body(namespace)
      } catch {
        failure.error = error
      }
    }
    thread.start()
    done.wait()
    if let error = failure.error { throw error }
  }

  /// Puts the calling thread into a namespace of its own.
  static func enterNew() throws {
    // Declared only for _GNU_SOURCE.
    typealias Unshare = @convention(c) (Int32) -> Int32
    let unshare = unsafeBitCast(dlsym(nil, "unshare"), to: Unshare.self)
    let newNetwork: Int32 = 0x4000_0000
    guard unshare(newNetwork) == 0 else { throw SystemError.current("make a network namespace") }
  }

  private final class Failure: @unchecked Sendable {
    var error: (any Error)?
  }
}
