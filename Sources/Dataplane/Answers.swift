import Wire

/// Does a server answer? Of every connection that a SYN opens, what came of that SYN: the raw material of passive
/// detection, whose rule is control's (`PassiveWatch`).
///
/// - NAT, FULLNAT: the server's first segment decides. One with RST is a refusal, any other is an answer; whether the client
///   goes on after that is not the server's doing, so a flood of SYNs makes no server look dead. That nothing has been heard
///   yet is a bit of the entry of replies, "no output", which only requests' entries had a use for.
/// - DR, TUN: the server's segments do not pass here. The client's ACK, which establishes the connection, is the answer.
///
/// Steady packets pay nothing: a SYN always takes the long way, and so does a segment that finds a connection in one of the
/// states before ESTABLISHED, for it leads on from there.
extension WorkerState {
  /// The value for the entry of a new connection's replies.
  @inline(__always)
  func replyValue(_ index: Int, of connection: Connection) -> Connection {
    var value = connection
    value.noOutput = opensBySYN(index, connection)
    return value
  }

  /// True when the packet opens its connection by a SYN: neither sloppily nor by an error about it.
  @inline(__always)
  func opensBySYN(_ index: Int, _ connection: Connection) -> Bool {
    let packet = batch.packet(index)
    return packet.pointee.isTCP && !packet.pointee.flags.contains(.icmpError)
      && ConnectionState.isOpening(connection.state)
  }

  /// The first segment of a server that has been sent a SYN.
  /// - Returns: the entry's value from now on; nil when another worker has changed it meanwhile.
  @inline(never)
  mutating func hear<Key>(
    _ index: Int, slot: UnsafeMutablePointer<UInt64>, _ old: Connection, in table: ConnectionTable<Key>
  ) -> Connection? {
    var new = old
    new.noOutput = false
    new.touch(clock)
    guard table.replace(slot, old: old, with: new) else { return nil }
    let statistics = counters.servers + Int(old.server)
    if batch.packet(index).pointee.segment & 0x04 != 0 {
      statistics.pointee.refused &+= 1
    } else {
      statistics.pointee.answered &+= 1
    }
    return new
  }

  /// A connection of TCP has changed its state, and its server's segments do not pass here.
  @inline(__always)
  func countUnheard(_ server: UInt16, from old: UInt8, to new: UInt8) {
    let statistics = counters.servers + Int(server)
    if ConnectionState.isOpening(new) {
      // A SYN by which a connection that has ended begins again.
      if !ConnectionState.isOpening(old) { statistics.pointee.opened &+= 1 }
    } else if ConnectionState.isOpening(old), new == ConnectionState.TCP.established.rawValue {
      statistics.pointee.answered &+= 1
    }
  }
}
