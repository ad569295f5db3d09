import Config
import Dataplane
import Glibc
import HealthCheck
import Kernel
import Synchronization
import Wire

// The ways of checks that go as clients' packets do (`through_vip`), from the configuration to the workers and back: what
// ways there are, which numbers they have in snapshots, and where a check that goes by one departs from.
//
// A way keeps its number as long as lbd runs, whatever reloads come: a check may be under way meanwhile.

/// One way, and what workers need to know of it.
struct VirtualWay {
  let number: UInt16
  let way: CheckWay
  let service: ServiceKey
  let server: RealServer
  let method: ForwardingMethod
}

/// All ways of a running director.
final class VirtualWays: CheckWays {
  private struct State {
    var numbers: [CheckWay: UInt16] = [:]
    var sources: [CheckWay: IPAddress] = [:]
    var device: UInt32?
    var ports: Dataplane.CheckPortNotes?
    var routed: Set<IPAddress.Family> = []
  }

  /// Of the routing table with the one route to the workers: "lbd".
  private static let table: UInt32 = 0x6c_6264

  private let state = Mutex(State())

  /// The ways that checks of a configuration go by, with their numbers.
  func ways(of health: Health) -> [VirtualWay] {
    var found: [VirtualWay] = []
    for unit in health.units {
      let service = unit.first.service
      for (server, checks) in zip(service.realServers, unit.checks) {
        for way in Set(checks.compactMap(\.target.way)) {
          guard let number = number(of: way) else { continue }
          found.append(
            VirtualWay(
              number: number, way: way, service: service.key, server: server,
              method: server.methodOverride ?? service.forwardingMethod))
        }
      }
    }
    return found.sorted { $0.number < $1.number }
  }

  /// nil when all numbers are taken.
  private func number(of way: CheckWay) -> UInt16? {
    state.withLock { state in
      if let known = state.numbers[way] { return known }
      guard state.numbers.count < Int(UInt16.max) else { return nil }
      let number = UInt16(state.numbers.count)
      state.numbers[way] = number
      return number
    }
  }

  /// The workers know the ways now.
  /// - Parameter sources: the addresses that servers answer to, where there is a route.
  func publish(_ sources: [CheckWay: IPAddress], through device: UInt32?, _ ports: Dataplane.CheckPortNotes) throws {
    try state.withLock { state in
      state.sources = sources
      state.device = device
      state.ports = ports
      guard let device else { return }
      for family in Set(sources.values.map(\.family)).subtracting(state.routed) {
        var socket = try NetlinkSocket()
        try socket.routeWhatIsBound(
          to: Director.hostDevice, index: device, family: family, table: VirtualWays.table)
        state.routed.insert(family)
      }
    }
  }

  /// The workers are about to end.
  func close() {
    state.withLock { state in
      for family in state.routed {
        guard var socket = try? NetlinkSocket() else { return }
        try? socket.forgetWhatIsBound(to: Director.hostDevice, family: family, table: VirtualWays.table)
      }
      state.device = nil
    }
  }

  func departure(by way: CheckWay) throws(CheckError) -> CheckDeparture {
    let step = "check \(way.server) through \(way.service)"
    let (number, source, device, ports) = state.withLock { state in
      (state.numbers[way], state.sources[way], state.device, state.ports)
    }
    guard let device, let ports else { throw .cannotRun(step: "\(step): there is no TUN device", errno: ENODEV) }
    guard let number, let source else { throw .cannotRun(step: step, errno: ENETUNREACH) }
    let transport = way.transport
    return CheckDeparture(source: source, device: device) { port in
      ports.note(port: port, transport: transport, way: number)
    }
  }
}
