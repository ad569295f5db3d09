import CShims
import Glibc
import Kernel

/// A network namespace that lives as long as one thread: nothing is left behind, however the test ends.
enum NetworkSandbox {
  /// Whether namespaces can be made here.
  static let isAvailable: Bool = {
    guard geteuid() == 0 else { return false }
    return (try? run { system("ip link set lo up") == 0 }) ?? false
  }()

  private final class Box<Value>: @unchecked Sendable {
    var result: Result<Value, any Error>?
  }

  struct Failure: Error { let step: String }

  /// Runs `body` on a thread in a fresh namespace and gives back what it returned. Checks belong after it, on the
  /// test's own thread.
  static func run<Value>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
    let box = Box<Value>()
    // On one core: a veth pair delivers on the core that sends, and a thread that moves sees its frames overtake each
    // other.
    try PinnedThread.start(name: "sandbox", core: Thread.availableCores().randomElement()) {
      box.result = Result {
        let error = lbd_thread_unshare_network()
        guard error == 0 else { throw SystemError("make network namespace", errno: error) }
        return try body()
      }
    }.join()
    guard let result = box.result else { throw Failure(step: "run thread") }
    return try result.get()
  }

  /// A veth pair, both ends in this namespace, up, and silent by themselves.
  static func makePair(_ left: String = "left", _ right: String = "right", mtu: Int = 1500, options: String = "") throws
  {
    try shell("sysctl -qw net.ipv6.conf.default.disable_ipv6=1")
    try shell("ip link add \(left) \(options) type veth peer name \(right) \(options)")
    for name in [left, right] { try shell("ip link set \(name) mtu \(mtu) up") }
    for name in [left, right] { try setUp(name) }
  }

  /// Sets an interface up and waits until it is. The kernel's link watch may take a second to give it its queue; what
  /// is sent before that is lost unsaid.
  static func setUp(_ name: String) throws {
    try shell("ip link set \(name) up")
    try shell("for n in $(seq 300); do ip link show \(name) | grep -q 'state UP' && exit; sleep 0.01; done; exit 1")
  }

  static func shell(_ command: String) throws {
    guard system("(\(command)) 2>&1") == 0 else { throw Failure(step: command) }
  }
}

/// A plain AF_PACKET socket: the other end of the wire.
struct RawSocket: ~Copyable {
  private let file: FileDescriptor

  init(_ interface: String) throws {
    let file = try FileDescriptor(
      checking: socket(AF_PACKET, Int32(SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue), 0), "open raw socket")
    var yes: Int32 = 1
    setsockopt(file.number, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, 4)
    let error = lbd_packet_bind(file.number, Int32(if_nametoindex(interface)), 3)
    guard error == 0 else { throw SystemError("bind raw socket", errno: error) }
    self.file = file
  }

  func send(_ frame: [UInt8]) -> Bool {
    Glibc.send(file.number, frame, frame.count, 0) == frame.count
  }

  /// The next frame, or nil after a second without one.
  func receive() -> [UInt8]? {
    guard Epoll.waitReadable(file.number, timeoutMilliseconds: 1000) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 70_000)
    let count = recv(file.number, &bytes, bytes.count, 0)
    return count >= 0 ? Array(bytes[0..<count]) : nil
  }
}
