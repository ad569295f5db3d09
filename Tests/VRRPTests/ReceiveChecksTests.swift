import Testing
import Wire

@testable import VRRP

/// One wrong thing each, and the reason that is named; the order is that of the checks.
@Suite struct ReceiveChecksTests {
  struct Row: CustomTestStringConvertible {
    let name: String
    var ours: @Sendable (inout InstanceDefinition) -> Void = { _ in }
    var theirs: @Sendable (inout InstanceDefinition) -> Void = { _ in }
    /// On the datagram; the checksum of the message is made good again.
    var bytes: @Sendable (inout [UInt8]) -> Void = { _ in }
    var breaksChecksum = false
    let reason: Rejection?
    var testDescription: String { name }
  }

  private static let word = Authentication.password(AuthenticationKey("1111".utf8))
  private static let header = Authentication.header(AuthenticationKey("secret12".utf8))

  static let rows = [
    Row(name: "nothing", reason: nil),
    Row(name: "password here", ours: { $0.configuredAuthentication = word }, reason: .authenticationMismatch),
    Row(name: "password there", theirs: { $0.configuredAuthentication = word }, reason: .authenticationMismatch),
    Row(name: "AH here", ours: { $0.configuredAuthentication = header }, reason: .authenticationMismatch),
    Row(name: "AH there", theirs: { $0.configuredAuthentication = header }, reason: .authenticationMismatch),
    Row(
      name: "another password", ours: { $0.configuredAuthentication = word },
      theirs: { $0.configuredAuthentication = .password(AuthenticationKey("1112".utf8)) }, reason: .authentication),
    Row(
      name: "another key", ours: { $0.configuredAuthentication = header },
      theirs: { $0.configuredAuthentication = .header(AuthenticationKey("secret13".utf8)) }, reason: .authentication),
    Row(
      name: "the same key", ours: { $0.configuredAuthentication = header },
      theirs: { $0.configuredAuthentication = header }, reason: nil),
    Row(
      name: "another TTL under AH", ours: { $0.configuredAuthentication = header },
      theirs: { $0.configuredAuthentication = header }, bytes: { $0[8] = 254 }, reason: .hopLimit),
    Row(
      name: "another priority under AH", ours: { $0.configuredAuthentication = header },
      theirs: { $0.configuredAuthentication = header }, bytes: { $0[46] = 200 }, reason: .authentication),
    Row(
      name: "another SPI under AH", ours: { $0.configuredAuthentication = header },
      theirs: { $0.configuredAuthentication = header }, bytes: { $0[27] ^= 1 }, reason: .authentication),
    Row(
      name: "one byte more",
      bytes: {
        $0 += [0]; $0[3] += 1
      }, reason: .length),
    Row(name: "one address more than it is long", bytes: { $0[23] += 1 }, reason: .length),
    Row(name: "padding", bytes: { $0 += [0, 0, 0, 0, 0, 0] }, reason: nil),
    Row(name: "over a router", bytes: { $0[8] = 254 }, reason: .hopLimit),
    Row(name: "version 3", theirs: { $0.version = .three }, reason: .version),
    Row(name: "version 2", ours: { $0.version = .three }, reason: .version),
    Row(name: "authentication type 3", bytes: { $0[24] = 3 }, reason: .invalidAuthentication),
    Row(name: "authentication type 2 without header", bytes: { $0[24] = 2 }, reason: .authenticationMismatch),
    Row(name: "another interval", theirs: { $0.configuredInterval = 2_000_000 }, reason: .interval),
    Row(
      name: "another interval, version 3", ours: { $0.version = .three },
      theirs: {
        $0.version = .three
        $0.configuredInterval = 10_000
      }, reason: nil),
    Row(
      name: "no interval, version 3", ours: { $0.version = .three }, theirs: { $0.version = .three },
      bytes: { ($0[24], $0[25]) = (0, 0) }, reason: .interval),
    Row(name: "type 2", bytes: { $0[20] = 0x22 }, reason: .type),
    Row(name: "wrong checksum", bytes: { $0[26] ^= 1 }, breaksChecksum: true, reason: .checksum),
    Row(
      name: "wrong checksum, version 3", ours: { $0.version = .three }, theirs: { $0.version = .three },
      bytes: { $0[26] ^= 1 }, breaksChecksum: true, reason: .checksum),
    Row(
      name: "plain checksum", ours: { $0.version = .three },
      theirs: {
        $0.version = .three
        $0.reception.usesPlainChecksum = true
      }, reason: nil),
    Row(
      name: "unicast", theirs: { $0.destination = .peers([.init(Stage.own)], hopLimit: 255) }, reason: .destination),
    Row(
      name: "multicast", ours: { $0.destination = .peers([.init(Stage.lower)], hopLimit: 255) }, reason: .destination),
    Row(
      name: "unicast, old checksum", ours: unicast(.three), theirs: unicast(.three, old: true), reason: nil),
    Row(
      name: "unicast, old checksum, never", ours: unicast(.three, old: false), theirs: unicast(.three, old: true),
      reason: .checksum),
    Row(name: "our own", theirs: { $0.source = Stage.own }, reason: .ownAddress),
    Row(name: "a stranger", ours: unicast(.two, peer: Stage.higher), theirs: unicast(.two), reason: .unknownPeer),
    Row(name: "a peer", ours: unicast(.two, limits: 60...70), theirs: unicast(.two), reason: nil),
    Row(name: "a peer far away", ours: unicast(.two, limits: 65...70), theirs: unicast(.two), reason: .peerHopLimit),
  ]

  /// From the lower address to ours or back; the sender's hop limit is 64.
  private static func unicast(
    _ version: InstanceDefinition.Version, old: Bool? = nil, peer: IPAddress = Stage.lower,
    limits: ClosedRange<UInt8> = 0...255
  ) -> @Sendable (inout InstanceDefinition) -> Void {
    { definition in
      definition.version = version
      definition.reception.oldUnicastChecksum = old
      definition.reception.checksUnicastSource = true
      let other = definition.source == Stage.own ? peer : Stage.own
      definition.destination = .peers([.init(other, hopLimits: limits)], hopLimit: 64)
    }
  }

  @Test(arguments: rows) func reasons(row: Row) throws {
    var ours = Stage.definition()
    var theirs = Stage.definition()
    theirs.source = Stage.lower
    row.ours(&ours)
    row.theirs(&theirs)
    var sender = AdvertWriter()
    var bytes = sender.adverts(of: theirs, priority: 100)[0].bytes
    let before = bytes
    row.bytes(&bytes)
    if bytes != before, !row.breaksChecksum { Self.sum(&bytes, theirs) }
    var stage = Stage.started(ours)
    stage.receive(bytes)
    #expect(stage.machine.counters.received == 1)
    #expect(stage.machine.lastRejection?.reason == row.reason)
    for reason in Rejection.allCases {
      #expect(stage.machine.counters.rejected(reason) == (reason == row.reason ? 1 : 0))
    }
    // What is refused does not exist.
    #expect((stage.machine.lastMaster == nil) == (row.reason != nil))
  }

  private static func sum(_ bytes: inout [UInt8], _ sender: InstanceDefinition) {
    let start = bytes[9] == 51 ? 44 : 20
    bytes[start + 6] = 0
    bytes[start + 7] = 0
    let end = Int(bytes[2]) << 8 | Int(bytes[3])
    let kind: VRRPChecksum =
      sender.version == .two
      ? .message : .pseudoHeader(source: sender.source, destination: VRRPAdvertisement.group4)
    let value = bytes[start..<end].withUnsafeBytes { kind.value($0) }
    (bytes[start + 6], bytes[start + 7]) = (UInt8(value & 255), UInt8(value >> 8))
  }

  /// A peer's old checksum is sent back to it, as long as it uses that.
  @Test func doesAsThePeerDoes() {
    var ours = Stage.definition()
    var theirs = Stage.definition()
    theirs.source = Stage.lower
    Self.unicast(.three)(&ours)
    Self.unicast(.three, old: true)(&theirs)
    var stage = Stage.started(ours)
    var sender = AdvertWriter()
    stage.receive(sender.adverts(of: theirs, priority: 100)[0].bytes)
    #expect(stage.machine.writer.usesOldChecksum)
    theirs.reception.oldUnicastChecksum = false
    stage.receive(sender.adverts(of: theirs, priority: 100)[0].bytes)
    #expect(!stage.machine.writer.usesOldChecksum)
  }

  struct ListRow: CustomTestStringConvertible {
    let ours: [String]
    let theirs: [String]
    let mismatch: AddressMismatch?
    var testDescription: String { "\(ours) and \(theirs)" }
  }

  static let lists = [
    ListRow(ours: ["10.0.0.1", "10.0.0.2"], theirs: ["10.0.0.1", "10.0.0.2"], mismatch: nil),
    ListRow(ours: ["10.0.0.1", "10.0.0.2"], theirs: ["10.0.0.2", "10.0.0.1"], mismatch: nil),
    ListRow(ours: ["10.0.0.1", "10.0.0.2"], theirs: ["10.0.0.1", "10.0.0.3"], mismatch: .missing("10.0.0.2")),
    ListRow(ours: ["10.0.0.1", "10.0.0.2"], theirs: ["10.0.0.1", "10.0.0.1"], mismatch: .missing("10.0.0.2")),
    ListRow(ours: ["10.0.0.1", "10.0.0.1"], theirs: ["10.0.0.1", "10.0.0.3"], mismatch: nil),
    ListRow(ours: ["10.0.0.1"], theirs: ["10.0.0.1", "10.0.0.2"], mismatch: .count(received: 2, own: 1)),
    ListRow(ours: ["10.0.0.1"], theirs: [], mismatch: .count(received: 0, own: 1)),
  ]

  /// An alarm once in a while, and no reason to refuse.
  @Test(arguments: lists) func addressLists(row: ListRow) {
    var ours = Stage.definition()
    var theirs = Stage.definition()
    theirs.source = Stage.lower
    ours.addresses = row.ours.compactMap { IPAddress($0) }
    theirs.addresses = row.theirs.compactMap { IPAddress($0) }
    var stage = Stage.started(ours)
    stage.take()
    var sender = AdvertWriter()
    for _ in 0..<3 { stage.receive(sender.adverts(of: theirs, priority: 100)[0].bytes) }
    #expect(stage.machine.lastMaster?.address == Stage.lower)
    #expect(stage.machine.counters.addressMismatches == (row.mismatch == nil ? 0 : 3))
    #expect(stage.lines.count == (row.mismatch == nil ? 0 : 1))
    if case .missing = row.mismatch {
      #expect(
        stage.lines[0].hasPrefix("(VI_1) ip address associated with VRID 51 not present in MASTER advert: 10.0.0.2"))
    }
  }

  /// `skip_check_adv_addr`: the master that has been heard is not looked at again.
  @Test func skipsTheListOfAKnownMaster() {
    var ours = Stage.definition()
    ours.reception.skipsAddressCheck = true
    var theirs = ours
    theirs.source = Stage.lower
    theirs.addresses = [IPAddress("10.0.0.9")!]
    var stage = Stage.started(ours)
    var sender = AdvertWriter()
    for _ in 0..<3 { stage.receive(sender.adverts(of: theirs, priority: 100)[0].bytes) }
    #expect(stage.machine.counters.addressMismatches == 1)
  }

  /// An old advert is refused, and the counter stands.
  @Test func replayedAdvert() {
    var ours = Stage.definition()
    ours.configuredAuthentication = Self.header
    var theirs = ours
    theirs.source = Stage.lower
    var sender = AdvertWriter()
    let adverts = (0..<3).map { _ in sender.adverts(of: theirs, priority: 200)[0].bytes }
    var stage = Stage.started(ours)
    stage.receive(adverts[2])
    stage.run(until: 1_000_000)
    for advert in adverts { stage.receive(advert) }
    #expect(stage.machine.counters.rejected(.authentication) == 3)
    #expect(stage.machine.due == 3_609_375)
  }
}
