import Testing

@testable import Dataplane

/// A connection's word: fields that do not touch each other, and time in two units.
@Suite struct ConnectionTests {
  private static func clock(seconds: Double) -> Clock {
    var clock = Clock()
    clock.set(nanoseconds: UInt64(seconds * 1e9))
    return clock
  }

  @Test(arguments: [UInt64.zero, .max, 0xaaaa_aaaa_aaaa_aaaa, 0x5555_5555_5555_5555])
  func fieldsAreApart(word: UInt64) {
    let fields: [(mask: UInt64, change: (inout Connection) -> Void)] = [
      (0xffff << 16, { $0.localPort = 0x1234 }), (0x3f << 32, { $0.localAddress = 0x2a }),
      (0xf << 38, { $0.state = 9 }), (1 << 42, { $0.noOutput.toggle() }),
      (0x3ffff << 46, { $0.touch(Self.clock(seconds: 12_345)) }),
      (0x3ffff << 46, { $0.coarsen(Self.clock(seconds: 12_345)) }),
    ]
    for (mask, change) in fields {
      var connection = Connection(word: word)
      change(&connection)
      #expect((connection.word ^ word) & ~mask == 0)
    }
  }

  @Test func values() {
    var connection = Connection(server: 0xbeef, noOutput: true)
    connection.localPort = 65_535
    connection.localAddress = 63
    connection.state = 10
    #expect(connection.server == 0xbeef && connection.localPort == 65_535 && connection.localAddress == 63)
    #expect(connection.state == 10 && connection.noOutput && !connection.isDead && !connection.isCoarse)
    connection.noOutput = false
    connection.state = Connection.deadState
    #expect(!connection.noOutput && connection.isDead && connection.server == 0xbeef)
  }

  @Test(arguments: [0.0, 1, 100, 65_535, 65_536, 65_537, 131_072, 1e6, 5e6])
  func idleTime(start: Double) {
    for idle in [0, 0.5, 60, 900, 16_000, 65_535] {
      var connection = Connection(server: 1, noOutput: false)
      connection.touch(Self.clock(seconds: start))
      #expect(connection.isStamped(Self.clock(seconds: start)))
      #expect(connection.idleTicks(Self.clock(seconds: start + idle)) == UInt64(idle * 2))
    }
  }

  /// Coarse units are right to their size, for 48 days; a packet makes them fine again.
  @Test(arguments: [0.0, 31, 65_530, 1e6, 4_194_300])
  func coarseIdleTime(start: Double) {
    for before in [16_400.0, 30_000, 60_000] {
      var connection = Connection(server: 1, noOutput: false)
      connection.touch(Self.clock(seconds: start))
      connection.coarsen(Self.clock(seconds: start + before))
      #expect(connection.isCoarse)
      for after in [0.0, 1, 31, 33, 86_400, 3_456_000] {
        let idle = Double(connection.idleTicks(Self.clock(seconds: start + before + after))) / 2
        #expect(abs(idle - before - after) <= 32)
      }
      connection.touch(Self.clock(seconds: start + before + 5))
      #expect(!connection.isCoarse)
      #expect(connection.idleTicks(Self.clock(seconds: start + before + 7)) == 4)
    }
  }
}
