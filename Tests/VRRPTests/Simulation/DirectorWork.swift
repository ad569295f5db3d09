import Wire

@testable import VRRP

/// An advert on its way.
struct Departure {
  let lan: Int
  let advert: OutgoingAdvert
}

extension Director {
  /// Does what the engine wants done, and watches it.
  mutating func carryOut(_ actions: [VRRPAction], at time: Microseconds) -> [Departure] {
    var departures: [Departure] = []
    var resigned: Set<[String]> = []
    for action in flaw?.altered(actions, turn: engine.machines.first?.counters.sent ?? 0) ?? actions {
      guard case .instance(let name, let action) = action,
        let lan = definitions.firstIndex(where: { $0.name == name })
      else { continue }
      switch action {
      case .send(let advert):
        if advert.priority != 0 {
          lastSent[lan] = time
        } else if !resigned.insert([name, advert.destination.description]).inserted {
          note("resigned twice at once", at: time)
        }
        if hasLink { departures.append(Departure(lan: lan, advert: advert)) }
      case .addAddresses: hasAddresses[lan] = true
      case .removeAddresses: hasAddresses[lan] = false
      case .announce: if hasLink { lastAnnounced[lan] = time }
      case .entered(.master, _): entriesAsMaster[lan] += 1
      default: break
      }
    }
    for lan in definitions.indices {
      if power != .dead, hasAddresses[lan] != (engine.machines[lan].state == .master) {
        note("has addresses: \(hasAddresses[lan]), but is \(engine.machines[lan].state.name)", at: time)
      }
    }
    let states = Set(engine.machines.map(\.state))
    if !groups.isEmpty, states.count > 1, states.contains(.master) {
      note("a group is master in part", at: time)
    }
    return departures
  }

  private mutating func note(_ text: String, at time: Microseconds) {
    if violation == nil { violation = "director \(number) at \(time): \(text)" }
  }
}
