import Wire

/// What an instance wants done, in the order in which it is to be done.
public enum InstanceAction: Hashable, Sendable {
  /// Send this datagram.
  case send(OutgoingAdvert)
  /// Set all addresses, excluded ones too, then routes, then rules; what is there already is fine.
  case addAddresses
  /// Remove them in the opposite order; what is not there is fine.
  case removeAddresses
  /// The definition has changed under a master: compare what is set with what should be.
  case refreshAddresses
  /// Tell the network of each address, excluded ones too, so many times.
  case announce(times: Int)
  /// Tell the network of the source of adverts, so that peers can resolve it.
  case announceSource
  /// It is something else now. A member of a group that merely follows has no notices of its own.
  case entered(InstanceState, follows: Bool)
  /// It has ended: STOP for its scripts, or DELETED.
  case ended(EndReason)
  /// A master has heard one of lower priority.
  case heardLowerPriority
  /// The effective priority of a backup or master is another.
  case changedPriority(Int)
  /// A line for the log.
  case tell(InstanceNews)
}

/// Why an instance ends.
public enum EndReason: Hashable, Sendable {
  /// The program ends.
  case stop
  /// The configuration no longer has it.
  case deleted
}

/// What happens to an instance, beside datagrams.
public enum InstanceEvent: Hashable, Sendable {
  /// It begins.
  case start
  /// `nextMicroseconds` has come. Whoever calls has first handed over the datagrams that were waiting.
  case timer
  /// An advert that counts.
  case advert(Advert)
  /// Something that is watched is so.
  case observed(TrackedObject.Name, TrackedObject.Observation)
  /// A reason for a fault that is not a watched thing ("no IPv4 address for interface") holds, or no longer does.
  case condition(String, holds: Bool)
  /// Somebody has taken an address off the interface while we were master.
  case lostAddress(IPAddress)
  /// It ends.
  case end(EndReason)
}
