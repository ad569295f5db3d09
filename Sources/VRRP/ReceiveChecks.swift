import Wire

// Which adverts count, checked in keepalived's order, so that its counters and ours name the same reason.
//
// Three things are otherwise than in keepalived 2.2.7. A wrong list of addresses is an alarm and no reason to refuse
// (as in 2.3.3). Both checksums of version 3 over IPv4 are understood. And an interval of nothing is refused in version 3: a
// backup would have to take over at once, again and again.
//
// A check ends at the first failure, and what costs most comes late; only the authentication of AH is early, because the
// order says so.

/// An advert that counts.
public struct Advert: Hashable, Sendable {
  /// Who sent it.
  public var source: IPAddress
  /// Its priority; 0 is a resignation.
  public var priority: UInt8
  /// The sender's interval.
  public var interval: Microseconds
  /// The sequence number of AH.
  public var sequence: UInt32?
  /// Its addresses are not ours.
  public var mismatch: AddressMismatch?

  /// An advert.
  public init(
    source: IPAddress, priority: UInt8, interval: Microseconds = 1_000_000, sequence: UInt32? = nil,
    mismatch: AddressMismatch? = nil
  ) {
    self.source = source
    self.priority = priority
    self.interval = interval
    self.sequence = sequence
    self.mismatch = mismatch
  }
}

/// The checks of one instance.
struct ReceiveChecks: Sendable {
  private let definition: InstanceDefinition
  private let authentication: Authentication?
  /// The addresses as adverts list them.
  private let listed: [IPAddress]
  private let sorted: [IPAddress]

  init(_ definition: InstanceDefinition) {
    self.definition = definition
    authentication = definition.authentication
    listed = definition.advertised
    sorted = listed.sorted()
  }

  /// Checks a datagram. What AH's sequence number has told is kept even if a later check refuses it.
  ///
  /// - Parameter skipsAddresses: the sender is the master whose list has been looked at already.
  func check(
    _ datagram: Datagram, skipsAddresses: Bool, _ writer: inout AdvertWriter
  ) -> Result<Advert, RejectionError> {
    let head = datagram.head
    if let reason = checkShape(datagram) { return .failure(RejectionError(reason)) }
    var sequence: UInt32?
    if definition.version == .two {
      guard checkAuthentication(datagram, &sequence, &writer.sequence) else {
        return .failure(RejectionError(.authentication))
      }
      guard head.interval == definition.advertisedInterval else { return .failure(RejectionError(.interval)) }
    } else if head.interval == 0 {
      return .failure(RejectionError(.interval))
    }
    guard head.type == VRRPAdvertisement.type else { return .failure(RejectionError(.type)) }
    guard checkChecksum(datagram, &writer) else { return .failure(RejectionError(.checksum)) }
    guard datagram.destination.isMulticast != definition.isUnicast else {
      return .failure(RejectionError(.destination))
    }
    if let reason = checkSender(datagram) { return .failure(RejectionError(reason)) }
    return .success(
      Advert(
        source: datagram.source, priority: head.priority,
        interval: UInt64(head.interval) * (definition.version == .two ? 1_000_000 : 10_000), sequence: sequence,
        mismatch: mismatch(datagram, skipsList: skipsAddresses)))
  }

  private func checkShape(_ datagram: Datagram) -> Rejection? {
    let head = datagram.head
    var usesHeader = false
    if case .header = authentication { usesHeader = true }
    guard (datagram.authentication != nil) == usesHeader else { return .authenticationMismatch }
    let count = VRRPAdvertisement.byteCount(
      version: head.version, family: definition.family, addressCount: Int(head.addressCount))
    guard datagram.message.count == count else { return .length }
    if !definition.isUnicast, datagram.hopLimit != 255 { return .hopLimit }
    guard head.version == definition.version.rawValue else { return .version }
    guard definition.version == .two else { return nil }
    if head.authenticationType > 2 { return .invalidAuthentication }
    return head.authenticationType == authentication?.number ?? 0 ? nil : .authenticationMismatch
  }

  private func checkAuthentication(
    _ datagram: Datagram, _ sequence: inout UInt32?, _ known: inout AuthenticationSequence
  ) -> Bool {
    guard let message = datagram.message.baseAddress else { return false }
    switch authentication {
    case nil:
      return true
    case .password(let key):
      return key.isEqual(
        to: message.loadBigEndian64(at: datagram.message.count - VRRPAdvertisement.passwordByteCount))
    case .header(let key):
      guard let header = datagram.header, let part = datagram.authentication else { return false }
      let check = key.check(
        header: header, extension: part, message: datagram.message, isUnicast: !datagram.destination.isMulticast)
      let different =
        check.0 ^ part.loadBigEndian64(at: AuthenticationHeader.checkOffset)
        | UInt64(check.1 ^ part.loadBigEndian32(at: AuthenticationHeader.checkOffset + 8))
      guard different == 0,
        part.loadBigEndian32(at: AuthenticationHeader.securityIndexOffset) == datagram.source.v4
      else { return false }
      let number = part.loadBigEndian32(at: AuthenticationHeader.sequenceOffset)
      guard datagram.source != definition.source, known.take(number) else { return false }
      sequence = number
      return true
    }
  }

  private func checkChecksum(_ datagram: Datagram, _ writer: inout AdvertWriter) -> Bool {
    let usual = VRRPChecksum.pseudoHeader(source: datagram.source, destination: datagram.destination)
    if definition.family == .ipv6 { return usual.value(datagram.message) == 0 }
    if definition.version == .two { return VRRPChecksum.message.value(datagram.message) == 0 }
    if usual.value(datagram.message) == 0 {
      writer.usesOldChecksum = false
      return true
    }
    if VRRPChecksum.message.value(datagram.message) == 0 { return true }
    guard definition.isUnicast, definition.reception.oldUnicastChecksum != false else { return false }
    let old = VRRPChecksum.pseudoHeader(source: datagram.source, destination: VRRPAdvertisement.group4)
    guard old.value(datagram.message) == 0 else { return false }
    writer.usesOldChecksum = true
    return true
  }

  private func checkSender(_ datagram: Datagram) -> Rejection? {
    if datagram.source == definition.source { return .ownAddress }
    guard definition.reception.checksUnicastSource, case .peers(let peers, _) = definition.destination else {
      return nil
    }
    guard let peer = peers.first(where: { $0.address == datagram.source }) else { return .unknownPeer }
    return peer.hopLimits.contains(datagram.hopLimit) ? nil : .peerHopLimit
  }

  /// Every address of ours must be in the advert. Mostly the lists are the same; where they are not, each of the advert's is
  /// looked up in ours: 255 at most, so a flood of such adverts costs little more than another.
  private func mismatch(_ datagram: Datagram, skipsList: Bool) -> AddressMismatch? {
    let count = Int(datagram.head.addressCount)
    guard count == listed.count else { return .count(received: count, own: listed.count) }
    guard !skipsList, let message = datagram.message.baseAddress else { return nil }
    let received = { VRRPAdvertisement.address(at: $0, of: message, family: definition.family) }
    if listed.indices.allSatisfy({ received($0) == listed[$0] }) { return nil }
    var isSeen = [Bool](repeating: false, count: sorted.count)
    for index in 0..<count {
      if let place = place(of: received(index)) { isSeen[place] = true }
    }
    // Of equal ones in our list, the first is found.
    let missing = sorted.indices.first { !isSeen[$0] && ($0 == 0 || sorted[$0] != sorted[$0 - 1]) }
    return missing.map { .missing(sorted[$0].description) }
  }

  private func place(of address: IPAddress) -> Int? {
    var low = 0
    var high = sorted.count
    while low < high {
      let middle = (low + high) / 2
      if sorted[middle] < address { low = middle + 1 } else { high = middle }
    }
    return low < sorted.count && sorted[low] == address ? low : nil
  }
}

/// A reason, as `Result` wants it.
struct RejectionError: Error, Hashable {
  let reason: Rejection

  init(_ reason: Rejection) { self.reason = reason }
}
