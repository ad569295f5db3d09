// What all watched things together do to an instance: a priority, and reasons for a fault.
//
//     total      = base + everything that things add, not limited on the way
//     effective  = 255 for an owner, else total within 1 and 254

/// The watched things of one instance and what is known of them.
struct Tracking: Sendable {
  private(set) var objects: [TrackedObject] = []
  private var observations: [TrackedObject.Name: TrackedObject.Observation] = [:]

  /// Watches these from now on. What is known of things that stay is kept.
  mutating func watch(_ wanted: [TrackedObject]) {
    var names: Set<TrackedObject.Name> = []
    objects = wanted.filter { names.insert($0.name).inserted }
    observations = observations.filter { names.contains($0.key) }
  }

  /// Takes what is known of a thing.
  /// - Returns: false when nothing has changed, or nobody watches it.
  mutating func observe(_ name: TrackedObject.Name, _ observation: TrackedObject.Observation) -> Bool {
    guard objects.contains(where: { $0.name == name }), observations[name] != observation else { return false }
    observations[name] = observation
    return true
  }

  private func effect(of object: TrackedObject) -> TrackedObject.Effect {
    object.effect(of: observations[object.name] ?? .unknown)
  }

  /// Things that could be a fault have not been seen yet.
  var isUndecided: Bool { objects.contains { effect(of: $0) == .undecided } }

  /// The first thing that is a fault.
  var fault: TrackedObject? { objects.first { effect(of: $0) == .fault } }

  /// The effective priority.
  func priority(base: UInt8) -> UInt8 {
    guard base != 255 else { return 255 }
    let total = objects.reduce(Int(base)) { sum, object in
      if case .adds(let number) = effect(of: object) { return sum + number }
      return sum
    }
    return UInt8(min(max(total, 1), 254))
  }
}
