import Glibc

@_silgen_name("unshare") private func systemUnshare(_ flags: Int32) -> Int32
@_silgen_name("setns") private func systemSetns(_ descriptor: Int32, _ kind: Int32) -> Int32

/// Two fresh network namespaces joined by a veth pair (`near` 10.9.0.1, `far` 10.9.0.2 in the other one), held by one
/// thread and gone with it. Expectations are collected, because a test framework does not know this thread.
final class RealServerSandbox: @unchecked Sendable {
  private(set) var failures: [String] = []
  private var namespaces: [Int32] = []
  private let body: (RealServerSandbox) throws -> Void
  private static let networkFlag: Int32 = 0x4000_0000

  private init(_ body: @escaping (RealServerSandbox) throws -> Void) { self.body = body }

  /// True when this process may make namespaces and has the ip command.
  static let isAvailable: Bool = run { _ in }.isEmpty

  /// Runs `body` in the near namespace.
  /// - Returns: what went wrong.
  static func run(_ body: @escaping (RealServerSandbox) throws -> Void) -> [String] {
    let sandbox = RealServerSandbox(body)
    var thread = pthread_t()
    let status = pthread_create(
      &thread, nil,
      { raw in
        raw.map { Unmanaged<RealServerSandbox>.fromOpaque($0).takeUnretainedValue().main() }
        return nil
      }, Unmanaged.passUnretained(sandbox).toOpaque())
    guard status == 0 else { return ["no thread"] }
    pthread_join(thread, nil)
    return sandbox.failures
  }

  private func main() {
    defer { for descriptor in namespaces { close(descriptor) } }
    for _ in 0..<2 {
      guard systemUnshare(RealServerSandbox.networkFlag) == 0 else { return failures.append("unshare: \(errno)") }
      namespaces.append(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC))
    }
    shell("ip link set lo up")
    enter(0)
    shell(
      """
      ip link set lo up
      ip link add near numrxqueues 2 numtxqueues 3 mtu 1400 address 02:00:00:00:00:01 type veth \
        peer name far address 02:00:00:00:00:02 netns /proc/\(getpid())/fd/\(namespaces[1])
      ip link set near addrgenmode none
      ip link set near up
      ip address add 10.9.0.1/24 dev near
      ip address add 2001:db8::1/64 dev near nodad
      """)
    enter(1)
    shell("ip link set far up; ip address add 10.9.0.2/24 dev far; ip address add 2001:db8::2/64 dev far nodad")
    enter(0)
    guard failures.isEmpty else { return }
    do { try body(self) } catch { failures.append("\(error)") }
  }

  /// Moves this thread into a namespace: 0 near, 1 far.
  func enter(_ number: Int) {
    if systemSetns(namespaces[number], RealServerSandbox.networkFlag) != 0 { failures.append("setns: \(errno)") }
  }

  func expect(_ condition: Bool, _ what: @autoclosure () -> String) {
    if !condition { failures.append(what()) }
  }

  /// Runs commands in this thread's namespace.
  func shell(_ script: String) {
    var arguments: [UnsafeMutablePointer<CChar>?] = [strdup("sh"), strdup("-ec"), strdup(script), nil]
    defer { for argument in arguments { free(argument) } }
    var process = pid_t()
    guard posix_spawnp(&process, "sh", nil, nil, &arguments, environ) == 0 else {
      return failures.append("no shell")
    }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    expect(status == 0, "exit status \(status): \(script)")
  }
}
