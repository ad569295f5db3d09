import Glibc
import Wire

/// What every lab command is told.
public struct LabOptions: Sendable {
  /// The path of this program, to be run inside the namespaces.
  public let executable: String
  /// What every namespace's name begins with.
  public let prefix: String
  /// auto, xdp or packet.
  public let port: String
  /// Ask by IPv6 (the lab always has both).
  public let isIPv6: Bool
  /// A bridge for each side.
  public let isTwoArmed: Bool
  /// Queues of the director's ports.
  public let queueCount: Int
  /// By what the services know their packets.
  public let services: LabServices

  /// Options with the defaults of the command line.
  public init(
    executable: String, prefix: String = "lbd-", port: String = "auto", isIPv6: Bool = false, isTwoArmed: Bool = false,
    queueCount: Int = 1, services: LabServices = .address
  ) {
    self.executable = executable
    self.prefix = prefix
    self.port = port
    self.isIPv6 = isIPv6
    self.isTwoArmed = isTwoArmed
    self.queueCount = queueCount
    self.services = services
  }

  func plan(_ mode: LabMode, services: LabServices? = nil, fileByteCount: Int = 16 << 20) -> LabPlan {
    LabPlan(
      mode: mode, isTwoArmed: isTwoArmed, prefix: prefix, fileByteCount: fileByteCount, queueCount: queueCount,
      services: services ?? self.services)
  }
}

/// What `lbd lab test` goes through, and how hard.
public struct LabMatrix: Sendable {
  /// Modes, each in a lab of its own.
  public let modes: [LabMode]
  /// By what services know their packets; all but by address in those modes only that it is tried with.
  public let services: [LabServices]
  /// Port kinds: xdp, packet.
  public let ports: [String]
  /// Families.
  public let families: [IPAddress.Family]
  /// Short requests per row; a multiple of two, or the shares cannot be equal.
  public let requestCount: Int
  /// Size of downloads and uploads.
  public let transferByteCount: Int
  /// How long each load lasts.
  public let loadSeconds: Int
  /// Parallel connections of the load.
  public let connectionCount: Int
  /// Services by mark and for every port in one mode each.
  public let isQuick: Bool

  /// The matrix of a release; `quick` is for everyday.
  public init(
    modes: [LabMode] = LabMode.allCases, services: [LabServices] = LabServices.allCases,
    ports: [String] = ["xdp", "packet"],
    families: [IPAddress.Family] = [.ipv4, .ipv6], requestCount: Int = 100, transferByteCount: Int = 256 << 20,
    loadSeconds: Int = 3, connectionCount: Int = 64, isQuick: Bool = false
  ) {
    self.modes = modes
    self.services = services
    self.ports = ports
    self.families = families
    self.requestCount = requestCount
    self.transferByteCount = transferByteCount
    self.loadSeconds = loadSeconds
    self.connectionCount = connectionCount
    self.isQuick = isQuick
  }

  /// Connections whose servers are asked who the client is, where they can know.
  var clientCount: Int { isQuick ? 500 : 10_000 }

  /// Reloads under load, and how long they go on.
  var reloadCount: Int { isQuick ? 50 : 200 }
  var reloadSeconds: Int { isQuick ? 6 : 20 }

  /// Everything once, in small.
  public static let quick = LabMatrix(transferByteCount: 16 << 20, loadSeconds: 1, isQuick: true)
}

/// `lbd lab up|down|demo|test`: each returns the process's exit code and has said everything there is to say.
public enum LabCommands {
  /// Builds a lab, starts its director unless told otherwise, and leaves it running.
  public static func up(mode: LabMode, options: LabOptions, startsDirector: Bool = true) -> Int32 {
    guarded(options, tools: Prerequisites.forNetwork) {
      let lock = try LabLock(prefix: options.prefix)
      try lock.leaveToPrograms()
      defer { withExtendedLifetime(lock) {} }
      let plan = options.plan(mode)
      let network = LabNetwork(plan: plan, executable: options.executable)
      try network.setUp()
      do {
        if startsDirector { _ = try DirectorProcess(network: network, port: options.port) }
      } catch {
        LabNetwork.tearDown(prefix: plan.prefix, folder: plan.folder)
        throw error
      }
      let console = Console()
      console.line("\(mode.rawValue): \(mode.summary)")
      for name in plan.namespaces { console.line("  ip netns exec \(name) ...") }
      console.line("configuration, report and logs: \(plan.folder)")
      if !startsDirector {
        let ports = plan.directorPorts.map { " --interface \($0)" }.joined()
        console.line("no director yet; start one with")
        console.line("  ip netns exec \(plan.director) lbd run --config \(network.configurationPath)\(ports)")
      }
      console.line("try  ip netns exec \(plan.client) curl \(LabPlan.url(options.isIPv6 ? .ipv6 : .ipv4))")
      console.line("end  lbd lab down")
      return true
    }
  }

  /// Removes a lab and whatever an aborted run left of it.
  public static func down(options: LabOptions) -> Int32 {
    guarded(options, tools: ["ip"]) {
      let lock = try LabLock(toRemove: options.prefix)
      defer { withExtendedLifetime(lock) {} }
      let folder = LabPlan.defaultFolder(prefix: options.prefix)
      let names = LabNetwork.tearDown(prefix: options.prefix, folder: folder)
      let left = LabNetwork.existingNamespaces(prefix: options.prefix)
      guard left.isEmpty else { throw LabFailure("cannot remove \(left.joined(separator: ", "))") }
      Console().line(names.isEmpty ? "no lab to remove" : "removed \(names.joined(separator: ", "))")
      return true
    }
  }

  /// Shows each mode at work; fails unless shares are exact and every byte arrives.
  public static func demo(
    modes: [LabMode] = LabMode.forwardingMethods, options: LabOptions, requestCount: Int = 6, loadSeconds: Int = 2
  ) -> Int32 {
    guarded(options, tools: Prerequisites.forDemo) {
      let lock = try LabLock(prefix: options.prefix)
      defer { withExtendedLifetime(lock) {} }
      return try LabDemo(
        options: options, modes: modes, requestCount: max(2, requestCount + requestCount % 2), loadSeconds: loadSeconds
      ).run()
    }
  }

  /// The matrix a release must pass.
  public static func test(options: LabOptions, matrix: LabMatrix = LabMatrix()) -> Int32 {
    guarded(options, tools: Prerequisites.forTest) {
      let lock = try LabLock(prefix: options.prefix)
      defer { withExtendedLifetime(lock) {} }
      return try LabTest(options: options, matrix: matrix).run()
    }
  }

  /// Reloads under load: `count` of them while a download goes on for `seconds`.
  public static func reload(mode: LabMode, options: LabOptions, count: Int, seconds: Int) -> Int32 {
    guarded(options, tools: Prerequisites.forTest) {
      let plan = options.plan(mode, fileByteCount: 64 << 20)
      let network = LabNetwork(plan: plan, executable: options.executable)
      defer { LabNetwork.tearDown(prefix: plan.prefix, folder: plan.folder) }
      try network.setUp()
      let director = try DirectorProcess(network: network, port: options.port)
      defer { director.end() }
      let traffic = Traffic(network: network, family: options.isIPv6 ? .ipv6 : .ipv4)
      let console = Console()
      console.line("\(mode.rawValue): \(count) reloads in \(seconds) s beside a download")
      console.line(try LabReload(traffic: traffic, director: director, count: count, seconds: seconds).run())
      let report = try director.report()
      if let imbalance = report.imbalance { throw LabFailure(imbalance) }
      for outcome in report.outcomes where outcome.count > 0 { console.line("  \(outcome.name) \(outcome.count)") }
      return true
    }
  }

  /// `lbd lab udp-echo`: ends only by a signal or an error.
  public static func udpEcho(addresses: [IPAddress], port: UInt16) -> Int32 {
    do {
      try UDPEcho.serve(addresses: addresses, port: port)
    } catch {
      Console.complain("lbd lab: \(error)")
      return 1
    }
  }

  /// `lbd lab udp-path`: one line, a hop after the other.
  public static func udpPath(address: IPAddress, port: UInt16) -> Int32 {
    do {
      let hops = try PathProbe.walk(to: Endpoint(address: address, port: port), limit: 5)
      Console().line(hops.map(\.description).joined(separator: ", "))
      return 0
    } catch {
      Console.complain("lbd lab: \(error)")
      return 1
    }
  }

  /// `lbd lab udp-probe`: fails unless every datagram comes back.
  public static func udpProbe(
    address: IPAddress, port: UInt16, byteCount: Int, count: Int, isShuffled: Bool
  ) -> Int32 {
    do {
      let returned = try UDPEcho.probe(
        address: address, port: port, byteCount: byteCount, count: count, isShuffled: isShuffled)
      Console().line("\(returned) of \(count) came back")
      return returned == count ? 0 : 1
    } catch {
      Console.complain("lbd lab: \(error)")
      return 1
    }
  }

  /// `lbd lab port ROLE`: programs on one veth, for a lab being built.
  public static func preparePort(_ role: LabPort, interface: String) -> Int32 {
    do {
      try role.prepare(interface: interface)
      return 0
    } catch {
      Console.complain("lbd lab: \(error)")
      return 1
    }
  }

  /// Checks, signals, and one line for whatever goes wrong.
  private static func guarded(_ options: LabOptions, tools: [String], _ body: () throws -> Bool) -> Int32 {
    do {
      guard LabPlan.isValid(prefix: options.prefix) else {
        throw LabFailure("a prefix is 2 to 20 of a-z, 0-9 and '-': `\(options.prefix)`")
      }
      try Prerequisites.check(tools: tools)
      Interruption.install()
      return try body() ? 0 : 1
    } catch let failure as LabFailure where failure == .interrupted {
      Console.complain("lbd lab: interrupted, everything removed")
      return 130
    } catch {
      Console.complain(error is LabFailure ? "\(error)" : "lbd lab: \(error)")
      return 1
    }
  }
}
