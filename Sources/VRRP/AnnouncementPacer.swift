import Wire

// Announcements of one interface, or of several that share a limit (`garp_interval`, `gna_interval`, `garp_group`): some
// switches and access points drop what comes too fast. IPv4 and IPv6 have a distance each.
//
// What waits is bounded by the number of addresses: a burst that comes while the one before still waits adds no more
// than makes each address be told as often as the larger of the two says.

/// Announcements in line, first come, first served.
public struct AnnouncementPacer: Sendable {
  private struct Line: Sendable {
    let interval: Microseconds
    var order: [IPAddress] = []
    var left: [IPAddress: Int] = [:]
    var place = 0
    var next: Microseconds = 0

    init(_ interval: Microseconds) { self.interval = interval }

    mutating func add(_ address: IPAddress, _ times: Int) {
      guard times > 0 else { return }
      if let waiting = left[address] {
        left[address] = max(waiting, times)
      } else {
        left[address] = times
        order.append(address)
      }
    }

    mutating func remove(_ address: IPAddress) {
      guard left.removeValue(forKey: address) != nil, let index = order.firstIndex(of: address) else { return }
      order.remove(at: index)
      if index < place { place -= 1 }
    }

    /// The next address, one after the other and then from the start again.
    mutating func take() -> IPAddress? {
      guard !order.isEmpty else { return nil }
      if place >= order.count { place = 0 }
      let address = order[place]
      let rest = (left[address] ?? 1) - 1
      if rest > 0 {
        left[address] = rest
        place += 1
      } else {
        left[address] = nil
        order.remove(at: place)
      }
      return address
    }

    mutating func takeDue(at now: Microseconds) -> [IPAddress] {
      var taken: [IPAddress] = []
      while interval == 0 || now >= next, let address = take() {
        taken.append(address)
        next = now.adding(interval)
      }
      return taken
    }
  }

  private var arp: Line
  private var neighbour: Line

  /// A pacer with these distances; 0 is none.
  public init(arpInterval: Microseconds, neighbourInterval: Microseconds) {
    arp = Line(arpInterval)
    neighbour = Line(neighbourInterval)
  }

  /// When the next announcement may leave; nil when none waits.
  public var nextMicroseconds: Microseconds? {
    [arp, neighbour].filter { !$0.order.isEmpty }.map(\.next).min()
  }

  /// A burst: each of these addresses so many times.
  public mutating func add(_ addresses: [IPAddress], times: Int) {
    for address in addresses {
      if address.family == .ipv4 { arp.add(address, times) } else { neighbour.add(address, times) }
    }
  }

  /// Addresses that are no longer ours: what waits of them must not leave.
  public mutating func remove(_ addresses: [IPAddress]) {
    for address in addresses {
      if address.family == .ipv4 { arp.remove(address) } else { neighbour.remove(address) }
    }
  }

  /// - Returns: what is to be announced now, in order.
  public mutating func take(at now: Microseconds) -> [IPAddress] {
    arp.takeDue(at: now) + neighbour.takeDue(at: now)
  }
}
