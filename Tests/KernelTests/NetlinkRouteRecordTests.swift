import Testing
import Wire

@testable import Kernel

private let recordedRoutes = recordedMessages.filter { if case .route = $0.event { true } else { false } }

@Suite struct NetlinkRouteRecordTests {
  private func record(_ row: RecordedMessage) throws -> RouteRecord {
    let message = try #require(try NetlinkMessage.split(row.bytes[...]).first)
    return try #require(RouteRecord(reported: message))
  }

  /// One thing changes, all else stays, and the change can be taken back by the first record.
  @Test(arguments: recordedRoutes)
  func segmentSize(_ row: RecordedMessage) throws {
    let record = try record(row)
    #expect(NetlinkEvent.route(.added, record.route) == row.event)
    #expect(record.advertisedMSS == nil)
    let changed = try #require(record.announcing(maximumSegmentSize: 1440))
    #expect(changed.advertisedMSS == 1440 && changed.route == record.route)
    let again = try #require(changed.announcing(maximumSegmentSize: 1300))
    #expect(again.advertisedMSS == 1300 && again.bytes.count == changed.bytes.count)
    #expect(RouteRecord(bytes: record.bytes) == record)
  }

  @Test(arguments: recordedRoutes)
  func bent(_ row: RecordedMessage) throws {
    let whole = try record(row).bytes
    for count in whole.indices { _ = RouteRecord(bytes: Array(whole[..<count]))?.replacement }
    for position in whole.indices {
      for value: UInt8 in [0, 1, 3, 0x7f, 0x80, 0xff] {
        var copy = whole
        copy[position] = value
        let record = RouteRecord(bytes: copy)
        _ = record?.announcing(maximumSegmentSize: -1)
        _ = record?.replacement
      }
    }
  }

  @Test func otherFamiliesAreNone() {
    #expect(RouteRecord(bytes: []) == nil)
    #expect(RouteRecord(bytes: [28] + [UInt8](repeating: 0, count: 11)) == nil)
  }
}
