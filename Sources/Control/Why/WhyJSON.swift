import Config
import Dataplane
import Wire

/// A packet's journey for programs.
struct WhyJSON {
  private let place: WhyPlace

  init(_ place: WhyPlace) { self.place = place }

  func text(of journeys: [PacketJourney], _ frames: [ProbeFrame], worker: Int) -> String {
    let entries = zip(journeys, frames).map { object($0, $1) }
    return "{\"worker\":\(worker),\"workers\":\(max(1, place.dataplane.workerCount)),\"packets\":[\n"
      + entries.joined(separator: ",\n") + "]}\n"
  }

  private func object(_ journey: PacketJourney, _ frame: ProbeFrame) -> String {
    var parts = [
      pair("interface", place.name(ofInterface: frame.interface)), pair("packet", PacketDescription.frame(frame.bytes)),
      pair("kind", journey.kind.rawValue),
    ]
    if let mark = journey.mark {
      let rules = mark.rules.map { "\($0 + 1)" }.joined(separator: ",")
      parts.append("\"mark\":{\"value\":\(mark.value),\"rules\":[\(rules)]}")
    }
    if let number = journey.service, let service = place.services.services[number] {
      parts.append(pair("service", "\(service.spec.key)"))
    }
    if let entry = journey.entry {
      let server = entry.server == .max ? "null" : ListingJSON.quoted(place.name(ofServer: entry.server))
      parts.append(
        "\"connection\":{\"server\":\(server),\"state\":\"\(entry.state)\",\"idle\":\(entry.idleSeconds)}")
    }
    parts.append("\"opens\":\(journey.isOpening)")
    if let state = journey.stateAfter { parts.append(pair("state", state)) }
    if let template = journey.template { parts.append(pair("template", template.rawValue)) }
    if let scheduling = journey.scheduling { parts.append("\"scheduler\":" + object(scheduling)) }
    if let server = journey.server { parts.append(pair("server", place.name(ofServer: server))) }
    if let drain = place.drain(ofServer: journey.server ?? journey.entry?.server) {
      parts.append("\"drain_seconds_left\":\(drain.secondsLeft(atNanoseconds: place.nowNanoseconds))")
    }
    if let method = journey.method { parts.append(pair("method", "\(method)")) }
    if let local = journey.local { parts.append(pair("local", "\(local)")) }
    if let way = journey.way { parts.append(pair("next_hop", way.rawValue)) }
    parts.append(pair("outcome", journey.outcome.name))
    let sent = journey.sent.map { sent in
      "{" + pair("interface", place.name(ofInterface: sent.interface)) + ","
        + pair("packet", PacketDescription.frame(sent.bytes)) + ","
        + pair("bytes", sent.bytes.map(WhyText.hex).joined()) + "}"
    }
    parts.append("\"sent\":[\(sent.joined(separator: ","))]")
    return "{" + parts.joined(separator: ",") + "}"
  }

  private func object(_ scheduling: PacketJourney.Scheduling) -> String {
    var parts = [
      pair("name", scheduling.name), pair("state_before", "0x" + String(scheduling.stateBefore, radix: 16)),
      pair("state_after", "0x" + String(scheduling.stateAfter, radix: 16)),
    ]
    if let bucket = scheduling.bucket, let count = scheduling.bucketCount {
      let server = scheduling.bucketServer.map { ListingJSON.quoted(place.name(ofServer: $0)) } ?? "null"
      parts.append("\"bucket\":\(bucket),\"buckets\":\(count),\"bucket_server\":\(server)")
    }
    if let isRemembered = scheduling.isDestinationRemembered {
      parts.append("\"destination_remembered\":\(isRemembered)")
    }
    let candidates = scheduling.candidates.map { candidate in
      "{" + pair("server", place.name(ofServer: candidate.server))
        + ",\"weight\":\(candidate.weight),\"active_conns\":\(candidate.active)"
        + ",\"inactive_conns\":\(candidate.inactive),\"overloaded\":\(candidate.isOverloaded)}"
    }
    parts.append("\"servers\":[\(candidates.joined(separator: ","))]")
    return "{" + parts.joined(separator: ",") + "}"
  }

  private func pair(_ name: String, _ value: String) -> String { "\"\(name)\":\(ListingJSON.quoted(value))" }
}
