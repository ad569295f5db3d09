import Config
import Dataplane
import Wire

/// A packet's journey for people: a line a step.
struct WhyText {
  private let place: WhyPlace
  private let question: WhyQuestion
  private var text = ""

  init(_ place: WhyPlace, _ question: WhyQuestion) {
    self.place = place
    self.question = question
  }

  /// The journeys of some frames.
  static func text(
    of journeys: [PacketJourney], _ frames: [ProbeFrame], _ question: WhyQuestion, _ place: WhyPlace
  ) -> String {
    var all = ""
    for (number, journey) in journeys.enumerated() {
      var text = WhyText(place, question)
      if question.flow == nil { all += (number == 0 ? "" : "\n") + "# \(number + 1)\n" }
      text.describe(journey, frames[number])
      all += text.text
    }
    return all
  }

  private mutating func line(_ step: String, _ what: String) {
    text += step + String(repeating: " ", count: max(1, 12 - step.utf8.count)) + what + "\n"
  }

  private mutating func describe(_ journey: PacketJourney, _ frame: ProbeFrame) {
    line("packet", PacketDescription.frame(frame.bytes))
    let count = max(1, place.dataplane.workerCount)
    var arrival = place.name(ofInterface: frame.interface)
    if count > 1 {
      arrival += ", by a queue of worker \(question.worker) of \(count) (the network card decides; --worker)"
    }
    line("comes by", arrival)
    if let mark = journey.mark { line("mark", WhyText.mark(mark, place.markRules)) }
    if let number = journey.service, let service = place.services.services[number] {
      line("service", WhyText.title(of: service))
    }
    describeConnection(journey)
    if let scheduling = journey.scheduling { describe(scheduling, picked: journey.server) }
    if let number = journey.server, let method = journey.method {
      line("server", "\(place.name(ofServer: number)) by \(WhyText.name(of: method))")
    }
    if let drain = place.drain(ofServer: journey.server ?? journey.entry?.server) {
      line("", "which takes no new connections and \(drain.text(atNanoseconds: place.nowNanoseconds))")
    }
    if let local = journey.local { line("local end", "\(local) in the client's place") }
    if let way = journey.way, way != .ready { line("next hop", "of the server: \(way.rawValue)") }
    if let state = journey.stateAfter { line("state", "\(state) after this packet") }
    line("outcome", "\(journey.outcome.name): \(journey.outcome.explanation)")
    if journey.outcome == .notOurs, let flow = question.flow, let key = serviceElsewhere(flow) {
      let address = flow.destination.address
      line("", "but \(key), of which lbd takes nothing: \(address) is not an address of this host")
      line("", "(ip address add \(address)/\(address.bitCount) dev …)")
    }
    for sent in journey.sent {
      line("sends", "by \(place.name(ofInterface: sent.interface)), \(sent.bytes.count) bytes")
      line("", PacketDescription.frame(sent.bytes))
      text += WhyText.dump(sent.bytes)
    }
    if journey.outcome.fate == .passed { line("then", "it is left to this host's own network stack, as it came") }
  }

  /// The service that was meant, whose address this host does not have.
  private func serviceElsewhere(_ flow: WhyQuestion.Flow) -> ServiceKey? {
    guard !place.topology.isLocal(flow.destination.address) else { return nil }
    return place.services.services.values.first {
      guard $0.isActive, case .address(flow.transport, let end) = $0.spec.key else { return false }
      return end.address == flow.destination.address && (end.port == flow.destination.port || end.port == 0)
    }?.spec.key
  }

  private mutating func describeConnection(_ journey: PacketJourney) {
    switch journey.kind {
    case .foreign: return line("connection", "not looked for")
    case .fragment: line("fragment", "joins what is there of its datagram")
    case .error: line("error", "an ICMP error; the packet it quotes says whose it is")
    case .request, .reply: break
    }
    if let entry = journey.entry {
      let server = entry.server == .max ? "nobody (bypassed)" : place.name(ofServer: entry.server)
      let direction = journey.kind == .reply ? "answer of" : "known, to"
      line("connection", "\(direction) \(server), \(entry.state), last packet \(entry.idleSeconds) s ago")
    } else if journey.kind == .request || journey.kind == .reply {
      line("connection", "none yet" + (journey.isOpening ? ", this packet opens one" : ""))
    }
    if journey.entry != nil, journey.isOpening { line("", "which has ended: this packet opens a new one") }
    switch journey.template {
    case .found: line("template", "there is one for this client: the scheduler is not asked")
    case .made: line("template", "none for this client: one is made")
    case nil: break
    }
  }

  private mutating func describe(_ scheduling: PacketJourney.Scheduling, picked: UInt16?) {
    var what = scheduling.name
    if let bucket = scheduling.bucket, let count = scheduling.bucketCount {
      what += ", place \(bucket) of \(count) belongs to "
      what += scheduling.bucketServer.map { place.name(ofServer: $0) } ?? "nobody"
    }
    if let isRemembered = scheduling.isDestinationRemembered {
      what += isRemembered ? ", the destination is remembered" : ", the destination is not remembered"
    }
    if scheduling.stateBefore != scheduling.stateAfter {
      what += ", its state 0x\(String(scheduling.stateBefore, radix: 16))"
      what += " becomes 0x\(String(scheduling.stateAfter, radix: 16))"
    }
    line("scheduler", what)
    for candidate in scheduling.candidates.prefix(WhyText.candidateLimit) {
      var row = candidate.server == picked ? "* " : "  "
      row += place.name(ofServer: candidate.server)
      row += " weight \(candidate.weight) active \(candidate.active) inactive \(candidate.inactive)"
      if candidate.isOverloaded { row += " overloaded" }
      line("", row)
    }
    let more = scheduling.candidates.count - WhyText.candidateLimit
    if more > 0 { line("", "  and \(more) more (--json has all)") }
    if picked == nil { line("", "picks none") }
  }

  private static let candidateLimit = 32

  private static func mark(_ mark: PacketJourney.Mark, _ rules: [MarkRule]) -> String {
    guard !mark.rules.isEmpty else { return "none: it meets no mark rule" }
    let names = mark.rules.map { number in
      let position = rules.indices.contains(number) ? rules[number].position : nil
      return "\(number + 1)" + (position.map { " (\($0))" } ?? "")
    }
    return "\(mark.value), by mark rule \(names.joined(separator: ", "))"
  }

  private static func title(of service: VirtualServices.Service) -> String {
    var title = "\(service.spec.key) \(service.scheduler.name)"
    if let seconds = service.spec.persistenceSeconds { title += " persistent \(seconds)" }
    if service.spec.onePacket { title += " ops" }
    return title + (service.isActive ? "" : " (deleted)")
  }

  private static func name(of method: Forwarding) -> String {
    switch method {
    case .directRouting: "DR: new MAC addresses, one hop less, nothing else"
    case .masquerading: "NAT: the VIP and the server's address and port take each other's place"
    case .tunnelling: "TUN: one hop less, and inside another packet"
    case .fullNAT: "FULLNAT: both ends are replaced"
    }
  }

  /// 16 bytes a line.
  private static func dump(_ bytes: [UInt8]) -> String {
    var text = ""
    for start in stride(from: 0, to: bytes.count, by: 16) {
      let offset = String(start, radix: 16)
      text += "            " + String(repeating: "0", count: max(0, 4 - offset.count)) + offset + " "
      for byte in bytes[start..<min(start + 16, bytes.count)] { text += " " + hex(byte) }
      text += "\n"
    }
    return text
  }

  static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }
}
