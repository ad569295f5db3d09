import CShims

/// Where in its memory each part of the shared state stands. Two states of one layout are alike to the byte: an image of one
/// (`StateImage`) has every entry where the original has it.
struct SharedLayout {
  let connectionCapacity: Int
  /// Slots for IPv4 connections.
  private let slots: Int
  let secret: HashSecret

  /// The blocks of memory, all zeroed.
  struct Blocks {
    var tables: UnsafeMutableRawPointer
    var counts: UnsafeMutableRawPointer
    var paths: UnsafeMutableRawPointer
    var fragments: UnsafeMutableRawPointer
    var calls: UnsafeMutableRawPointer
    var helpers: UnsafeMutableRawPointer
  }

  init(connectionCapacity: Int, bothDirections: Bool, seed: UInt64) {
    self.connectionCapacity = connectionCapacity
    slots = Snapshot.powerOfTwo(atLeast: connectionCapacity) * (bothDirections ? 4 : 2)
    secret = HashSecret(seed: seed)
  }

  private var lines4: Int { slots / 4 }
  private var lines6: Int { slots / 2 }
  // Pages that no family uses are never touched and cost nothing.
  private var wideLines: Int { slots }
  private var callCount: Int { Limits.calls(forConnections: connectionCapacity) }

  /// Bytes of each block.
  var byteCounts: (tables: Int, counts: Int, paths: Int, fragments: Int, calls: Int, helpers: Int) {
    (
      (lines4 + lines6 + wideLines) * Int(LB_LINE_BYTES), Limits.serverCapacity * (8 + 8 + 1 + 8) + 128,
      PathMTUs.byteCount, FragmentPool.byteCount, CallTable.byteCount(of: callCount), HelperTable.byteCount
    )
  }

  /// The state that lies in these blocks.
  func state(in blocks: Blocks, fragments: FragmentPool, checkPorts: CheckPorts) -> SharedState {
    let lineBytes = Int(LB_LINE_BYTES)
    let serverWords = Limits.serverCapacity
    let counts = blocks.counts
    return SharedState(
      tableV4: ConnectionTable(memory: blocks.tables, lineCount: lines4, secret: secret),
      tableV6: ConnectionTable(memory: blocks.tables + lines4 * lineBytes, lineCount: lines6, secret: secret),
      tableWide: ConnectionTable(
        memory: blocks.tables + (lines4 + lines6) * lineBytes, lineCount: wideLines, secret: secret),
      connectionCounts: counts.bindMemory(to: UInt64.self, capacity: serverWords),
      overloaded: (counts + serverWords * 16 + 128).bindMemory(to: UInt8.self, capacity: serverWords),
      schedulerStates: (counts + serverWords * 8).bindMemory(to: UInt64.self, capacity: serverWords),
      templateCounts: (counts + serverWords * 17 + 128).bindMemory(to: UInt64.self, capacity: serverWords),
      entryCounts: (counts + serverWords * 16).bindMemory(to: UInt64.self, capacity: 16),
      paths: PathMTUs(memory: blocks.paths), fragments: fragments,
      calls: CallTable(memory: blocks.calls, count: callCount), helpers: HelperTable(memory: blocks.helpers),
      checkPorts: checkPorts)
  }
}
