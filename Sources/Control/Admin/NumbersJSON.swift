import Config
import Dataplane

/// What `lbd top` asks for: services and servers as `ipvsadm -L --json` has them, and beside them the frames by outcome, the
/// workers and the connection table. Sums only: it takes no longer for a million connections.
struct NumbersJSON {
  private let place: WhyPlace

  init(_ place: WhyPlace) { self.place = place }

  var text: String {
    var listing = Listing(services: place.services, dataplane: place.dataplane)
    listing.rates = place.administration.rates
    listing.health = place.health
    // Counts of templates are a look at a word each; connections are not walked over.
    let services = ListingJSON(listing, nowNanoseconds: place.nowNanoseconds).servicesText
    let statistics = place.dataplane.statistics()
    let outcomes = Outcome.allCases.compactMap { outcome in
      statistics.outcomes[outcome].flatMap { $0 == 0 ? nil : "\"\(outcome.name)\":\($0)" }
    }
    let workers = place.dataplane.workerNumbers.map {
      "{\"received\":\($0.received),\"missed\":\($0.missed),\"refused\":\($0.refused)"
        + ",\"busy_nanoseconds\":\($0.busyNanoseconds)}"
    }
    let entries = place.dataplane.entryCounts
    return "{\"nanoseconds\":\(place.nowNanoseconds),\"snapshot\":\(place.dataplane.snapshotNumber),\n"
      + "\"listing\":\(services),\n"
      + "\"outcomes\":{\(outcomes.joined(separator: ","))},\n\"workers\":[\(workers.joined(separator: ","))],\n"
      + "\"table\":{\"connections\":\(place.dataplane.tableDescription.connections)"
      + ",\"entries\":\(entries.ipv4 + entries.ipv6),\"fill\":\(place.dataplane.tableFill)"
      + ",\"expired\":\(statistics.expired)}}\n"
  }
}
