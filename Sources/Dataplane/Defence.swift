import CShims
import Wire

/// IPVS's defence strategies, where workers carry them out. Whether they are in effect (modes, memory) control decides;
/// what stands in the snapshot's settings is the decision.
struct DefenceState {
  /// Packets that would open a connection until one is dropped.
  var untilDrop: Int32 = 0
  /// Second in which entries were dropped last.
  var lastSecond: UInt64 = 0
}

extension WorkerState {
  /// drop_packet: true for every so many packets that would open a connection.
  mutating func isDefended(_ index: Int) -> Bool {
    let settings = snapshot.pointee.settings
    guard settings.dropPacket.isInEffect, settings.dropRate > 0 else { return false }
    defence.untilDrop &-= 1
    if defence.untilDrop > 0 { return false }
    defence.untilDrop = Int32(clamping: settings.dropRate)
    return true
  }
}
