import Wire

/// A frame whose fate is asked for.
public struct ProbeFrame: Sendable, Hashable {
  /// The frame, from its Ethernet header on.
  public var bytes: [UInt8]
  /// The interface it comes by, among the dataplane's.
  public var interface: Int
  /// When, by the workers' clock.
  public var nanoseconds: UInt64

  /// A frame.
  public init(_ bytes: [UInt8], interface: Int, nanoseconds: UInt64) {
    self.bytes = bytes
    self.interface = interface
    self.nanoseconds = nanoseconds
  }
}

/// What becomes of a frame, and why: what the stages of the pipeline found, as far as they came.
public struct PacketJourney: Sendable, Hashable {
  /// A frame that is sent.
  public struct Sent: Sendable, Hashable {
    /// Among the dataplane's.
    public var interface: Int
    /// From its Ethernet header on.
    public var bytes: [UInt8]
  }

  /// What kind of packet it was taken for.
  public enum Kind: String, Sendable {
    /// Of nobody's.
    case foreign
    case request
    case reply
    case error
    case fragment
  }

  /// The firewall mark that rules give it.
  public struct Mark: Sendable, Hashable {
    /// 0 for none.
    public var value: UInt32
    /// The rules it meets, by their place.
    public var rules: [Int]
  }

  /// A connection's entry.
  public struct Entry: Sendable, Hashable {
    /// The real server's number.
    public var server: UInt16
    /// As listings name it.
    public var state: String
    /// Seconds since its last packet.
    public var idleSeconds: Int
  }

  /// What became of the client's template.
  public enum Template: String, Sendable {
    /// It was there, and names the server.
    case found
    /// The server was scheduled, and is remembered.
    case made
  }

  /// What a scheduler saw.
  public struct Scheduling: Sendable, Hashable {
    /// A server on its list.
    public struct Candidate: Sendable, Hashable {
      /// Its number.
      public var server: UInt16
      /// Its weight.
      public var weight: Int32
      /// Active connections.
      public var active: UInt32
      /// Inactive ones.
      public var inactive: UInt32
      /// It has reached its upper threshold.
      public var isOverloaded: Bool
    }
    /// `wrr`, …
    public var name: String
    /// In the order of the list.
    public var candidates: [Candidate]
    /// The scheduler's word before the pick.
    public var stateBefore: UInt64
    /// And after it.
    public var stateAfter: UInt64
    /// The bucket of the packet's hash.
    public var bucket: Int?
    /// How many there are.
    public var bucketCount: Int?
    /// The server it belongs to.
    public var bucketServer: UInt16?
    /// lblc, lblcr: whether the destination is remembered.
    public var isDestinationRemembered: Bool?
  }

  /// What can be done with the way to the next station.
  public enum Way: String, Sendable {
    case noRoute = "no route"
    case unresolved = "MAC address not known"
    case ready
    case local = "this host itself"
  }

  /// What became of it.
  public var outcome = Outcome.pending
  /// What leaves, in order; for a frame that is left to the host nothing.
  public var sent: [Sent] = []
  /// What it was taken for.
  public var kind = Kind.foreign
  /// nil where there are no rules.
  public var mark: Mark?
  /// The service's number.
  public var service: UInt16?
  /// The entry it was found in, as it was.
  public var entry: Entry?
  /// The connection's state afterwards.
  public var stateAfter: String?
  /// It opened a connection.
  public var isOpening = false
  /// Of services with persistence, when a connection is opened.
  public var template: Template?
  /// When the scheduler was asked.
  public var scheduling: Scheduling?
  /// The real server's number.
  public var server: UInt16?
  /// How packets reach it.
  public var method: Forwarding?
  /// FULLNAT: what the server sees in the client's place.
  public var local: Endpoint?
  /// To the server.
  public var way: Way?

  /// Nothing known yet.
  public init() {}
}
