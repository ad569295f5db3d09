import CShims
import Kernel
import Wire

// Checks that go the way of clients' packets (`through_vip`).
//
// With DR and TUN a server must take packets that are addressed to the VIP, and TUN's must open tunnels. A server that
// does not (no VIP on it, no tunnel device, a filter on the way) swallows every client's packets, and yet answers a check
// at its own address. Such a check finds out: it goes through lbd, as a client's packet to the VIP, to this one server.
//
// The kernel still speaks for the check: TCP, timers and sockets are its own. The check's socket is bound to the TUN device
// behind which lbd is and connects to the server's own address. What it sends comes to the first worker, which puts the VIP
// in and hands it to the rewriter of the server's method. The answer comes off the wire from the VIP, which would be
// this host's own address: the worker puts the server's address back and gives it to the host by that device.
//
// Which check a packet belongs to says its local port. Control notes it before anything is sent; a note that is no longer
// true does no harm, as nothing else is sent by that device, or comes from a VIP to this host.

/// Which local ports checks are sent from, and which way each goes: one word per port, of TCP first, then of UDP.
struct CheckPorts: @unchecked Sendable {
  private let words: UnsafeMutablePointer<UInt64>

  static var byteCount: Int { 2 * 65_536 * 8 }

  /// - Parameter memory: of zeros, `byteCount` of them.
  init(memory: UnsafeMutableRawPointer) {
    words = memory.bindMemory(to: UInt64.self, capacity: 2 * 65_536)
  }

  private func place(_ port: UInt16, _ protocolNumber: UInt8) -> Int? {
    switch TransportProtocol(rawValue: protocolNumber) {
    case .tcp: Int(port)
    case .udp: 65_536 + Int(port)
    default: nil
    }
  }

  /// A check is about to be sent from a port.
  func note(_ port: UInt16, _ transport: TransportProtocol, way: UInt16) {
    guard let place = place(port, transport.rawValue) else { return }
    lbd_store_relaxed(words + place, UInt64(way) + 1)
  }

  /// The way of the check that is sent from a port; nil when there is none.
  func way(_ port: UInt16, protocolNumber: UInt8) -> UInt16? {
    guard let place = place(port, protocolNumber) else { return nil }
    let word = lbd_load_relaxed(words + place)
    return word == 0 ? nil : UInt16(truncatingIfNeeded: word &- 1)
  }
}

extension SnapshotDescription {
  /// By a way's number, what workers know of it; `nobody` where there is none.
  func checkWayRecords(_ nobody: ServerRecord, _ record: (Server) -> ServerRecord) -> [ServerRecord] {
    var records = [ServerRecord](repeating: nobody, count: checkWays.map { Int($0.number) + 1 }.max() ?? 0)
    for way in checkWays { records[Int(way.number)] = record(way.server) }
    return records
  }
}

extension SnapshotView {
  /// True when checks go by the ways of clients' packets.
  var hasCheckWays: Bool { !checkWays.isEmpty }

  /// True when the host sends what the workers are to take.
  var hearsHost: Bool { hasLocalServers || hasCheckWays }

  /// The server that checks of a way go to; nil when there is no such way (any more).
  func checkWay(_ number: UInt16) -> UnsafePointer<ServerRecord>? {
    guard Int(number) < checkWays.count, let base = checkWays.baseAddress else { return nil }
    let server = base + Int(number)
    return server.pointee.isAvailable ? server : nil
  }
}

extension WorkerState {
  /// A packet that the host has sent for a check: out to the server, as a client's packet to the VIP.
  /// - Returns: false when it is none.
  mutating func sendCheck(_ index: Int, _ bytes: UnsafeMutableRawPointer) -> Bool {
    guard snapshot.pointee.hasCheckWays else { return false }
    let packet = batch.packet(index)
    guard let ends = parseHostPacket(index, bytes, byteCount: Int(batch.frames[index].byteCount)),
      let way = shared.checkPorts.way(port(of: ends.source), protocolNumber: packet.pointee.protocolNumber),
      let server = snapshot.pointee.checkWay(way), server.pointee.isIPv6 == packet.pointee.isIPv6,
      packet.pointee.destinationAddress == (server.pointee.addressHigh, server.pointee.addressLow)
    else { return false }
    packet.pointee.form = PacketForm(isIPv6: packet.pointee.isIPv6, isReply: false).odd
    let vip = (server.pointee.virtualHigh, server.pointee.virtualLow)
    WorkerState.replace(packet, .destination, vip, port: port(of: ends.destination), takesHop: false)
    leave(index, packet, rewrite(index, packet, packet.pointee.form, server: server, isReady: false))
    if batch.outcomes[index].isForwarded { batch.outcomes[index] = .checkRequest }
    return true
  }

  /// A packet off the wire that no service takes: the answer to a check?
  /// - Returns: false when it is none.
  @inline(never)
  mutating func takeCheckAnswer(_ index: Int, _ ends: PacketEnds) -> Bool {
    let packet = batch.packet(index)
    guard packet.pointee.flags.isDisjoint(with: [.fragment, .cutShort, .icmpError, .securityPayload]),
      let way = shared.checkPorts.way(port(of: ends.destination), protocolNumber: packet.pointee.protocolNumber),
      let server = snapshot.pointee.checkWay(way), server.pointee.isIPv6 == packet.pointee.isIPv6,
      packet.pointee.sourceAddress == (server.pointee.virtualHigh, server.pointee.virtualLow)
    else { return false }
    packet.pointee.form = PacketForm(isIPv6: packet.pointee.isIPv6, isReply: true).odd
    let own = (server.pointee.addressHigh, server.pointee.addressLow)
    WorkerState.replace(packet, .source, own, port: port(of: ends.source), takesHop: false)
    batch.finish(index, .checkAnswer)
    return true
  }

  private func port(of end: UInt64) -> UInt16 { UInt16(truncatingIfNeeded: end >> 16) }
}

extension Dataplane {
  /// A check is about to be sent from a local port by a way of the snapshot's. Any thread may say so.
  public struct CheckPortNotes: Sendable {
    private let ports: CheckPorts
    // Keeps the memory.
    private let owner: SharedMemory

    init(_ memory: SharedMemory) {
      owner = memory
      ports = memory.state.checkPorts
    }

    /// Takes note of it.
    public func note(port: UInt16, transport: TransportProtocol, way: UInt16) {
      ports.note(port, transport, way: way)
    }
  }

  /// Where the local ports of checks are noted.
  public var checkPortNotes: CheckPortNotes { CheckPortNotes(shared) }
}
