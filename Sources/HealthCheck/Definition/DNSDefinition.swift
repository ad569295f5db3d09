/// DNS_CHECK: what a name server is asked.
public struct DNSDefinition: Hashable, Sendable {
  /// Types of records, with their numbers (IANA, "Resource Record TYPEs").
  public enum RecordType: UInt16, Hashable, Sendable, CaseIterable {
    case a = 1
    case ns = 2
    case cname = 5
    case soa = 6
    case mx = 15
    case txt = 16
    case aaaa = 28
    case rrsig = 46
    case dnskey = 48

    /// `SOA` and its like; nil for a type that checks do not ask for.
    public init?(name: String) {
      guard let type = RecordType.allCases.first(where: { $0.name == name }) else { return nil }
      self = type
    }

    /// `SOA` and its like.
    public var name: String { "\(self)".uppercased() }
  }

  /// `type`
  public var type = RecordType.soa
  /// `name`; `.` is the root.
  public var name = "."

  /// The root's SOA.
  public init() {}
}
