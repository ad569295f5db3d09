import Glibc
import Testing

@testable import Control

struct KeepalivedSignalsTests {
  /// What keepalived 2.2.7 prints on Linux with glibc.
  @Test(arguments: [
    ("STOP", 15), ("RELOAD", 1), ("DATA", 10), ("STATS", 12), ("STATS_CLEAR", 63), ("JSON", 36), ("TDATA", nil),
    ("stop", nil), ("", nil),
  ])
  func numbers(_ row: (name: String, number: Int32?)) {
    #expect(KeepalivedSignals.number(row.name) == row.number)
  }

  @Test func whatIsWritten() {
    #expect(KeepalivedSignals.dump(SIGUSR1) == .data && KeepalivedSignals.dump(SIGUSR2) == .statistics)
    #expect(KeepalivedSignals.dump(36) == .json && KeepalivedSignals.dump(63) == .statisticsAndClear)
    for signal in [SIGTERM, SIGINT, SIGHUP] { #expect(KeepalivedSignals.dump(signal) == nil) }
  }
}
