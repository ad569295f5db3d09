import Wire

/// Which firewall mark does a packet carry?
///
/// The rules stand in order in one array, and a packet walks over all of them: each that it meets changes the mark, so the
/// last one counts, as with iptables' MARK, which does not end the walk. It is asked once per new connection, never for a
/// packet whose connection is known. Nothing here allocates; the number of rules is bounded, so is the walk.
///
/// A packet without ports, which is what later fragments are, meets no condition on ports, negated or not.
struct MarkRules {
  /// Rules that one snapshot may have.
  static var capacity: Int { 1024 }

  /// The packet in question.
  struct Subject {
    var isIPv6: Bool
    var protocolNumber: UInt8
    var hasPorts: Bool
    var sourcePort: UInt16
    var destinationPort: UInt16
    /// `MarkRules.interface`.
    var interface: UInt32
    /// Addresses as the dataplane keeps them: IPv4 in the low half of the second word.
    var sourceHigh: UInt64
    var sourceLow: UInt64
    var destinationHigh: UInt64
    var destinationLow: UInt64
  }

  /// What one interface is: a port of the dataplane, and the VLAN on it, 0 for none.
  @inline(__always)
  static func interface(port: UInt16, vlan: UInt16) -> UInt32 { UInt32(vlan) << 16 | UInt32(port) }

  fileprivate struct Prefix {
    var high: UInt64 = 0
    var low: UInt64 = 0
    var maskHigh: UInt64 = 0
    var maskLow: UInt64 = 0

    @inline(__always)
    func contains(_ high: UInt64, _ low: UInt64) -> Bool {
      (high ^ self.high) & maskHigh | (low ^ self.low) & maskLow == 0
    }
  }

  /// Some elements of one of the arrays; empty is no condition.
  fileprivate struct Slice {
    var start: UInt32 = 0
    var count: UInt32 = 0
  }

  fileprivate struct Flags: OptionSet {
    let rawValue: UInt8
    static var notInterface: Flags { Flags(rawValue: 1) }
    static var notSource: Flags { Flags(rawValue: 2) }
    static var notDestination: Flags { Flags(rawValue: 4) }
    static var notProtocol: Flags { Flags(rawValue: 8) }
    static var notSourcePort: Flags { Flags(rawValue: 16) }
    static var notDestinationPort: Flags { Flags(rawValue: 32) }
    static var hasInterface: Flags { Flags(rawValue: 64) }
  }

  /// A rule as it is compared.
  fileprivate struct Record {
    var source = Prefix()
    var destination = Prefix()
    var clear: UInt32 = 0
    var flip: UInt32 = 0
    var interfaces = Slice()
    var sourcePorts = Slice()
    var destinationPorts = Slice()
    /// 0 is any.
    var protocolNumber: UInt8 = 0
    var flags: Flags = []
    var matchesIPv4 = true
    var matchesIPv6 = true
  }

  struct PortRange {
    var first: UInt16
    var last: UInt16
  }

  private let records: UnsafePointer<Record>
  private let ports: UnsafePointer<PortRange>
  private let interfaces: UnsafePointer<UInt32>
  /// 0: every mark is 0.
  let count: Int

  /// The packet's mark; 0 is none.
  @inline(never)
  func mark(of subject: Subject) -> UInt32 {
    var mark: UInt32 = 0
    for index in 0..<count where matches(records + index, subject) {
      mark = mark & ~records[index].clear ^ records[index].flip
    }
    return mark
  }

  /// The rules that a packet meets, by their place in order.
  func met(by subject: Subject) -> [Int] { (0..<count).filter { matches(records + $0, subject) } }

  @inline(__always)
  private func matches(_ record: UnsafePointer<Record>, _ subject: Subject) -> Bool {
    let flags = record.pointee.flags
    guard subject.isIPv6 ? record.pointee.matchesIPv6 : record.pointee.matchesIPv4 else { return false }
    let isSource = record.pointee.source.contains(subject.sourceHigh, subject.sourceLow)
    guard isSource != flags.contains(.notSource) else { return false }
    let isDestination = record.pointee.destination.contains(subject.destinationHigh, subject.destinationLow)
    guard isDestination != flags.contains(.notDestination) else { return false }
    let number = record.pointee.protocolNumber
    guard number == 0 || (number == subject.protocolNumber) != flags.contains(.notProtocol) else { return false }
    return meetsInterface(record.pointee.interfaces, subject.interface, flags)
      && meets(record.pointee.sourcePorts, subject.sourcePort, subject, not: flags.contains(.notSourcePort))
      && meets(
        record.pointee.destinationPorts, subject.destinationPort, subject, not: flags.contains(.notDestinationPort))
  }

  /// Unlike a list of ports, one of interfaces may be empty and yet a condition: of an interface that is not there.
  @inline(__always)
  private func meetsInterface(_ slice: Slice, _ interface: UInt32, _ flags: Flags) -> Bool {
    guard flags.contains(.hasInterface) else { return true }
    var isAmong = false
    for index in Int(slice.start)..<Int(slice.start + slice.count) where interfaces[index] == interface {
      isAmong = true
    }
    return isAmong != flags.contains(.notInterface)
  }

  @inline(__always)
  private func meets(_ slice: Slice, _ port: UInt16, _ subject: Subject, not isNegated: Bool) -> Bool {
    guard slice.count != 0 else { return true }
    guard subject.hasPorts else { return false }
    var isWithin = false
    for index in Int(slice.start)..<Int(slice.start + slice.count) {
      if ports[index].first <= port && port <= ports[index].last { isWithin = true }
    }
    return isWithin != isNegated
  }
}

extension MarkRules {
  /// Lays rules out for the walk.
  /// - Parameter copy: puts an array where it stays for as long as the snapshot does.
  init(_ rules: [SnapshotDescription.MarkRule], memory copy: some Memory) {
    var ports: [PortRange] = []
    var interfaces: [UInt32] = []
    func slice(_ ranges: [ClosedRange<UInt16>]?) -> Slice {
      guard let ranges, !ranges.isEmpty else { return Slice() }
      ports += ranges.map { PortRange(first: $0.lowerBound, last: $0.upperBound) }
      return Slice(start: UInt32(ports.count - ranges.count), count: UInt32(ranges.count))
    }
    let records = rules.prefix(MarkRules.capacity).map { rule -> Record in
      var record = Record(rule)
      record.sourcePorts = slice(rule.sourcePorts?.value)
      record.destinationPorts = slice(rule.destinationPorts?.value)
      if let list = rule.interfaces?.value {
        record.interfaces = Slice(start: UInt32(interfaces.count), count: UInt32(list.count))
        interfaces += list
      }
      return record
    }
    count = records.count
    self.records = UnsafePointer(copy.array(records))
    self.ports = UnsafePointer(copy.array(ports))
    self.interfaces = UnsafePointer(copy.array(interfaces))
  }

  /// Where arrays are put.
  protocol Memory {
    func array<Element>(_ values: [Element]) -> UnsafeMutablePointer<Element>
  }
}

extension MarkRules.Record {
  fileprivate init(_ rule: SnapshotDescription.MarkRule) {
    clear = rule.clear
    flip = rule.flip
    protocolNumber = rule.protocolNumber?.value ?? 0
    // A prefix says which family is meant; two that differ, or one of another than the rule's, are met by no packet.
    let families = [rule.family, rule.source?.value.address.family, rule.destination?.value.address.family]
    matchesIPv4 = !families.contains(.ipv6)
    matchesIPv6 = !families.contains(.ipv4)
    if let prefix = rule.source?.value { source = MarkRules.Prefix(prefix) }
    if let prefix = rule.destination?.value { destination = MarkRules.Prefix(prefix) }
    if rule.interfaces != nil { flags.insert(.hasInterface) }
    let negations: [(Bool?, MarkRules.Flags)] = [
      (rule.interfaces?.isNegated, .notInterface), (rule.source?.isNegated, .notSource),
      (rule.destination?.isNegated, .notDestination), (rule.protocolNumber?.isNegated, .notProtocol),
      (rule.sourcePorts?.isNegated, .notSourcePort), (rule.destinationPorts?.isNegated, .notDestinationPort),
    ]
    for (isNegated, flag) in negations where isNegated == true { flags.insert(flag) }
  }
}

extension MarkRules.Prefix {
  fileprivate init(_ prefix: IPPrefix) {
    let words = prefix.address.words
    if prefix.address.family == .ipv4 {
      maskLow = prefix.length == 0 ? 0 : UInt64(UInt32.max << UInt32(32 - prefix.length))
    } else {
      maskHigh = prefix.length >= 64 ? .max : prefix.length == 0 ? 0 : UInt64.max << UInt64(64 - prefix.length)
      maskLow = prefix.length <= 64 ? 0 : UInt64.max << UInt64(128 - prefix.length)
    }
    high = words.high & maskHigh
    low = words.low & maskLow
  }
}
