import CShims
import Wire

/// What the paths to tunnels' servers take, where that is less than the next hop's link does: learned from ICMP errors
/// about tunnel packets (RFC 1191, RFC 8201), forgotten after ten minutes, as in Linux.
///
/// By server number, shared by all workers. Two numbers a server: a record with all of it, and the *room*, the largest
/// packet that needs no closer look, which is all that the straight line reads. Nobody waits and nothing is swept: a packet
/// that is larger than the room looks at the record, and an old record ends there.
///
/// As in Linux, a path that has been learned of is taken up with the next packet: until then errors about it are
/// relayed with the size that was in use.
struct PathMTUs: @unchecked Sendable {
  /// By server number, complemented, so that memory of zeros means no limit.
  private let rooms: UnsafeMutablePointer<UInt16>
  private let records: UnsafeMutablePointer<UInt64>

  static var byteCount: Int { Limits.serverCapacity * (8 + 2) }

  /// - Parameter memory: of zeros, `byteCount` of them.
  init(memory: UnsafeMutableRawPointer) {
    records = memory.bindMemory(to: UInt64.self, capacity: Limits.serverCapacity)
    rooms = (memory + Limits.serverCapacity * 8).bindMemory(to: UInt16.self, capacity: Limits.serverCapacity)
  }

  /// Where a server's room stands.
  func room(ofServer number: UInt16) -> UnsafePointer<UInt16> { UnsafePointer(rooms + Int(number)) }

  /// The largest packet that surely fits the path to a server. It may be 0, which means: look.
  @inline(__always)
  static func room(_ server: UnsafePointer<ServerRecord>) -> UInt16 { ~server.pointee.pathRoom.pointee }

  /// True for a packet that surely fits: no larger than the room, which stands here complemented.
  @inline(__always)
  static func fits(_ byteCount: UInt16, _ server: UnsafePointer<ServerRecord>) -> Bool {
    !byteCount.addingReportingOverflow(server.pointee.pathRoom.pointee).overflow
  }

  /// What is known of a path.
  struct Record {
    /// Upwards: outer MTU, the server's address folded, whether a packet has been sent by it, end in seconds.
    fileprivate var word: UInt64

    fileprivate init(word: UInt64) { self.word = word }

    fileprivate init(mtu: Int, tag: UInt16, isTakenUp: Bool, end: UInt64) {
      word = UInt64(UInt16(clamping: mtu)) | UInt64(tag) << 16 | (isTakenUp ? 1 << 32 : 0) | end << 33
    }

    var mtu: Int { Int(word & 0xffff) }
    fileprivate var tag: UInt16 { UInt16(truncatingIfNeeded: word >> 16) }
    var isTakenUp: Bool { word >> 32 & 1 != 0 }
    fileprivate var end: UInt64 { word >> 33 }
  }

  /// The record of a server's path, if it is of this server and not too old.
  fileprivate func record(_ server: UnsafePointer<ServerRecord>, second: UInt64) -> Record? {
    let record = Record(word: lbd_load_relaxed(records + number(server)))
    guard record.word != 0, record.tag == PathMTUs.tag(server), record.end > second else { return nil }
    return record
  }

  fileprivate func set(_ server: UnsafePointer<ServerRecord>, _ record: Record?, room: UInt16) {
    let number = number(server)
    lbd_store_relaxed(records + number, record?.word ?? 0)
    rooms[number] = ~room
  }

  private func number(_ server: UnsafePointer<ServerRecord>) -> Int { server.pointee.pathRoom - UnsafePointer(rooms) }

  /// Numbers are used again: a record must not speak for another server.
  private static func tag(_ server: UnsafePointer<ServerRecord>) -> UInt16 {
    let hash = (server.pointee.addressHigh ^ server.pointee.addressLow) &* 0x9e37_79b9_7f4a_7c15
    return UInt16(truncatingIfNeeded: hash >> 48)
  }

  fileprivate static func new(
    _ server: UnsafePointer<ServerRecord>, mtu: Int, isTakenUp: Bool, end: UInt64
  ) -> Record {
    Record(mtu: mtu, tag: tag(server), isTakenUp: isTakenUp, end: end)
  }
}

extension WorkerState {
  private var second: UInt64 { clock.nanoseconds / 1_000_000_000 }

  /// The largest outer packet that the path to a server takes; what was learned of it is taken up.
  mutating func pathMTU(_ server: UnsafePointer<ServerRecord>, hop: UnsafePointer<NextHop>) -> Int {
    let linkMTU = Int(hop.pointee.mtu)
    guard PathMTUs.room(server) != .max else { return linkMTU }
    guard let record = shared.paths.record(server, second: second), record.mtu < linkMTU else {
      shared.paths.set(server, nil, room: .max)
      return linkMTU
    }
    if !record.isTakenUp {
      let taken = PathMTUs.new(server, mtu: record.mtu, isTakenUp: true, end: record.end)
      shared.paths.set(server, taken, room: roomInside(server, mtu: record.mtu))
    }
    return record.mtu
  }

  private func roomInside(_ server: UnsafePointer<ServerRecord>, mtu: Int) -> UInt16 {
    UInt16(clamping: server.pointee.encapsulation.room(mtu: mtu, isIPv6: server.pointee.isIPv6))
  }

  /// A router on the path to a server says how much it takes.
  /// - Returns: what packets to the server are held to now.
  mutating func learnPathMTU(_ server: UnsafePointer<ServerRecord>, said: Int) -> Int {
    let linkMTU = Int(ServerRecord.hop(server).pointee.mtu)
    let known = shared.paths.record(server, second: second)
    let present = min(known?.mtu ?? linkMTU, linkMTU)
    let inUse = known?.isTakenUp == true ? present : linkMTU
    // Less than every link has to carry is a lie, or a mistake (RFC 8201 section 4; Linux draws the line for IPv4 at 552).
    guard !server.pointee.isIPv6 || said >= Limits.leastPathMTU.ipv6 else { return inUse }
    let mtu = server.pointee.isIPv6 ? said : max(said, min(present, Limits.leastPathMTU.ipv4))
    // A path that has become wider is found out when this one is forgotten.
    guard mtu < present || known?.mtu == mtu else { return inUse }
    let end = second + Limits.pathMTUSeconds
    if let known, mtu == present, known.end > second + Limits.pathMTUSeconds / 2 { return inUse }
    let isTakenUp = known?.isTakenUp ?? false
    if mtu == present, known != nil {
      shared.paths.set(
        server, PathMTUs.new(server, mtu: mtu, isTakenUp: isTakenUp, end: end),
        room: isTakenUp ? roomInside(server, mtu: mtu) : 0)
      return inUse
    }
    learn(mtu, until: end, atAddressOf: server)
    return isTakenUp ? mtu : linkMTU
  }

  /// A path leads to an address, whatever service it is a server of. Each call makes the path narrower, so nobody can have
  /// this done often.
  private mutating func learn(_ mtu: Int, until end: UInt64, atAddressOf server: UnsafePointer<ServerRecord>) {
    for number in 0..<snapshot.pointee.serverLimit {
      let other = snapshot.pointee.server(UInt16(truncatingIfNeeded: number))
      guard other.pointee.method == .tunnelling, other.pointee.isIPv6 == server.pointee.isIPv6,
        other.pointee.addressLow == server.pointee.addressLow, other.pointee.addressHigh == server.pointee.addressHigh
      else { continue }
      let isTakenUp = shared.paths.record(other, second: second)?.isTakenUp ?? false
      shared.paths.set(
        other, PathMTUs.new(other, mtu: mtu, isTakenUp: isTakenUp, end: end),
        room: isTakenUp ? roomInside(other, mtu: mtu) : 0)
    }
  }
}
