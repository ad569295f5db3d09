// Things that an instance watches, and what each does to its priority. All of them are inputs: up or down, or a number.
//
//     weight          well        not well
//     0               -           fault
//     0, reversed     fault       -
//     > 0             + weight    0
//     < 0             0           - |weight|
//     reversed        the sign of what is added is turned
//
// A file says a number, which the weight multiplies; what comes to -254 or less is a fault.

/// One thing that an instance watches.
public struct TrackedObject: Hashable, Sendable {
  /// What sort of thing.
  public enum Kind: String, Hashable, Sendable, CaseIterable {
    /// An interface: well is up and running.
    case interface
    /// A script: well is that it succeeds.
    case script
    /// A number in a file.
    case file
    /// Processes: well is that there are as many as there should be.
    case process
    /// A BFD session.
    case session = "bfd"
    /// lbd's own ability to forward: a worker is stuck, a program is detached, a configuration refused.
    case forwarder
  }

  /// Two references to one thing count once.
  public struct Name: Hashable, Sendable {
    /// What sort of thing.
    public var kind: Kind
    /// Its name.
    public var name: String

    /// A name.
    public init(_ kind: Kind, _ name: String) {
      self.kind = kind
      self.name = name
    }
  }

  /// What is known of it.
  public enum Observation: Hashable, Sendable {
    /// Nothing yet.
    case unknown
    /// Well, or not.
    case well(Bool)
    /// A file's number; one that is missing, empty or no number says 0.
    case number(Int)
  }

  /// What it does to an instance.
  enum Effect: Hashable {
    case adds(Int)
    case fault
    /// It may be a fault: not known yet.
    case undecided
  }

  /// Which thing.
  public var name: Name
  /// -254 to 254; 0 is a fault.
  public var weight: Int
  /// The other way round.
  public var isReversed: Bool

  /// A thing that is watched.
  public init(_ kind: Kind, _ name: String, weight: Int = 0, isReversed: Bool = false) {
    self.name = Name(kind, name)
    self.weight = min(max(weight, -TrackedObject.limit), TrackedObject.limit)
    self.isReversed = isReversed
  }

  /// The largest weight.
  private static let limit = 254

  func effect(of observation: Observation) -> Effect {
    switch observation {
    case .unknown:
      return weight == 0 && name.kind != .file ? .undecided : .adds(0)
    case .number(let number):
      return effect(ofNumber: number)
    case .well(let isWell):
      if weight == 0 { return isWell == isReversed ? .fault : .adds(0) }
      let counts = isWell == (weight > 0)
      return .adds(counts ? (isReversed ? -weight : weight) : 0)
    }
  }

  private func effect(ofNumber number: Int) -> Effect {
    if weight == 0 { return (number != 0) != isReversed ? .fault : .adds(0) }
    // Cut before multiplying, which could overflow; what is cut is beyond every limit anyway.
    let product = min(max(number, -1000), 1000) * weight * (isReversed ? -1 : 1)
    return product <= -254 ? .fault : .adds(min(product, 253))
  }
}

extension TrackedObject {
  /// What is left of it where priorities cannot move: the owner of the addresses has 255 always, and the members of a
  /// group must not outbid each other. An interface is a fault instead, and so is lbd's own state; the rest goes.
  var withoutWeight: TrackedObject? {
    var object = self
    object.weight = 0
    switch name.kind {
    case .interface, .forwarder: return object
    case .file: return weight == 0 || weight == 1 ? object : nil
    case .script, .process, .session: return weight == 0 ? object : nil
    }
  }

  /// What the log says when it is a fault.
  var faultPhrase: String {
    switch name.kind {
    case .interface: "interface \(name.name) down"
    case .script: "script \(name.name) failed"
    case .file: "tracked file \(name.name)"
    case .process: "process \(name.name) quorum not met"
    case .session: "BFD session \(name.name) down"
    case .forwarder: "lbd cannot forward: \(name.name)"
    }
  }
}
