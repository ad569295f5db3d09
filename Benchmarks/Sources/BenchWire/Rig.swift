import CForwarder
import Glibc
import Lab

/// One line of three namespaces: `c0` (client) -- `d0` (director) `d1` -- `s0` (sink), with a generator at its one end and a
/// counter at the other.
///
/// Every forwarder that is compared has a rig of its own and stays in it, asleep, while the others are measured: going from
/// one to the next is starting another generator, and a round takes half a second.
final class Rig {
  /// What every name begins with; nothing else on a machine does.
  static let prefix = "lbd-bench-wire-"
  /// Virtual address: the director's own.
  static let vip = "10.9.0.1"
  /// An address that the director's kernel routes.
  static let routed = "10.9.3.1"
  /// Real servers, all behind the sink's MAC address.
  static let servers = (2...5).map { "10.9.2.\($0)" }
  /// Local addresses of FULLNAT: 64512 ports each towards each server.
  static let locals = (129...144).map { "10.9.2.\($0)" }

  private static let director: (near: [UInt8], far: [UInt8]) = ([2, 9, 0, 0, 1, 0], [2, 9, 0, 0, 2, 0])
  private static let client: [UInt8] = [2, 9, 0, 0, 1, 1]
  private static let sink: [UInt8] = [2, 9, 0, 0, 2, 1]

  private let name: String
  private var programs: OpaquePointer?
  private var nothing: OpaquePointer?

  var clientSpace: String { Rig.prefix + name + "-c" }
  var directorSpace: String { Rig.prefix + name + "-d" }
  var sinkSpace: String { Rig.prefix + name + "-s" }

  /// Builds the namespaces and attaches generator and counter.
  init(_ name: String, programs object: String) throws {
    self.name = name
    do {
      for command in commands { try Command.check(command) }
      let rig = try WireFailure.check("rig \(name)") { cf_rig_open(object, $0) }
      programs = rig
      try attach("bench_count", sinkSpace, "s0")
      try attach("bench_count", clientSpace, "c0")
    } catch {
      close()
      throw error
    }
  }

  /// Ends what it runs; the namespaces go with `tearDown`.
  func close() {
    if let nothing { cf_forwarder_stop(nothing) }
    nothing = nil
    if let programs { cf_rig_close(programs) }
    programs = nil
  }

  private var commands: [[String]] {
    let (near, far) = (Rig.text(Rig.director.near), Rig.text(Rig.director.far))
    var all = [clientSpace, directorSpace, sinkSpace].flatMap { space in
      [
        ["ip", "netns", "add", space],
        inside(space, "sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1"),
        inside(
          space,
          "sysctl -q -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 net.ipv4.conf.all.send_redirects=0"
        ),
      ]
    }
    let ends: [(space: String, port: String, ours: String, peerSpace: String, peer: String, theirs: [UInt8])] = [
      (directorSpace, "d0", near, clientSpace, "c0", Rig.client), (directorSpace, "d1", far, sinkSpace, "s0", Rig.sink),
    ]
    for end in ends {
      let queue = "numrxqueues 1 numtxqueues 1"
      all += [
        ip(end.space, "link add \(end.port) \(queue) type veth peer name \(end.peer) \(queue) netns \(end.peerSpace)"),
        ip(end.space, "link set \(end.port) address \(end.ours) up"),
        ip(end.peerSpace, "link set \(end.peer) address \(Rig.text(end.theirs)) up"),
        // A veth without NAPI loses what is redirected to it, and the director's kernel may be all there is.
        inside(end.space, "ethtool -K \(end.port) gro on"),
      ]
    }
    all += [
      ip(directorSpace, "address add 10.9.1.1/24 dev d0"), ip(directorSpace, "address add 10.9.2.1/24 dev d1"),
      ip(directorSpace, "address add \(Rig.vip)/32 dev d0"),
      ip(directorSpace, "neigh add 10.9.1.2 lladdr \(Rig.text(Rig.client)) nud permanent dev d0"),
      ip(directorSpace, "route add default via 10.9.1.2"),
      ip(directorSpace, "route add \(Rig.routed)/32 via \(Rig.servers[0])"),
    ]
    all += Rig.locals.map { ip(directorSpace, "address add \($0)/32 dev d1") }
    all += Rig.servers.map {
      ip(directorSpace, "neigh replace \($0) lladdr \(Rig.text(Rig.sink)) nud permanent dev d1")
    }
    all.append(inside(directorSpace, "sysctl -q -w net.ipv4.ip_forward=1"))
    return all
  }

  private func ip(_ space: String, _ rest: String) -> [String] { ["ip", "-n", space] + Rig.words(rest) }
  private func inside(_ space: String, _ rest: String) -> [String] { ["ip", "netns", "exec", space] + Rig.words(rest) }
  private static func words(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }

  private static func text(_ address: [UInt8]) -> String {
    address.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: ":")
  }

  private func attach(_ program: String, _ space: String, _ interface: String) throws {
    guard let programs else { return }
    _ = try WireFailure.check("\(program) on \(interface) of \(space)") { message in
      cf_rig_attach(programs, program, space, interface, message) == 0 ? true : nil
    }
  }

  // MARK: The forwarder that does nothing

  /// Puts it between the two ports.
  func startNothing(core: Int) throws {
    guard let programs else { return }
    nothing = try WireFailure.check("forwarder in C") { message in
      cf_forwarder_start(programs, directorSpace, "d0", "d1", Rig.client, Rig.sink, Int32(core), message)
    }
    nothing.map { Priority.raise(cf_forwarder_process($0)) }
    try attach("bench_redirect_near", directorSpace, "d0")
    try attach("bench_redirect_far", directorSpace, "d1")
  }

  var nothingCounters: cf_forwarder_counters { nothing.map { cf_forwarder_read($0) } ?? cf_forwarder_counters() }
  var nothingNanoseconds: UInt64 { nothing.map { cf_process_cpu_ns(cf_forwarder_process($0)) } ?? 0 }

  // MARK: Traffic

  /// Packets that reached the sink.
  var seen: UInt64 { programs.map { cf_rig_seen($0, UInt32(WIRE_SEEN_PACKETS)) } ?? 0 }
  /// Bytes of those.
  var seenBytes: UInt64 { programs.map { cf_rig_seen($0, UInt32(WIRE_SEEN_BYTES)) } ?? 0 }

  /// Starts the generator.
  func generate(_ load: Load, core: Int) throws -> Generator {
    guard let programs else { throw WireFailure("rig \(name) is closed") }
    var plan = load.plan
    plan.interface_index = cf_interface_index(clientSpace, "c0")
    withUnsafeMutableBytes(of: &plan.target) { $0.copyBytes(from: Rig.director.near) }
    withUnsafeMutableBytes(of: &plan.source) { $0.copyBytes(from: Rig.client) }
    let generator = try WireFailure.check("generator of rig \(name)") { message in
      cf_generator_start(programs, clientSpace, Int32(core), &plan, message)
    }
    return Generator(generator)
  }

  // MARK: Removal

  /// Ends what runs in namespaces of ours and removes them: also what a crashed run left.
  static func tearDown() {
    guard let listing = try? Command.run(["ip", "netns", "list"], interruptible: false) else { return }
    let names = listing.output.split(separator: "\n").compactMap { $0.split(separator: " ").first.map(String.init) }
    for name in names where name.hasPrefix(prefix) {
      let found = try? Command.run(["ip", "netns", "pids", name], interruptible: false)
      for process in (found?.output ?? "").split(separator: "\n").compactMap({ pid_t($0) }) where process != getpid() {
        kill(process, SIGKILL)
      }
      _ = try? Command.run(["ip", "netns", "delete", name], interruptible: false)
    }
  }
}
