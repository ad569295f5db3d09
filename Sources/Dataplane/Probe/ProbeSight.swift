import CShims
import Scheduler
import Wire

/// What can be seen of a packet's journey from the records that the stages leave: before its second stride what it is, and
/// after it what came of it. Looks only; what happens is the stages' doing.
extension WorkerState {
  /// Takes the one packet of a batch through both strides.
  /// - Parameter opened: by server, the connections that were opened so far.
  mutating func foresee(
    _ journey: inout PacketJourney, opened: inout [UInt16: UInt64], addresses: UnsafePointer<UInt64>
  ) {
    guard packetCount == 1 else { return }
    look(0..<1, addresses: addresses)
    let before = sight(&journey)
    act(0..<1)
    see(&journey, since: before, opened: &opened)
  }

  /// What is compared afterwards.
  private struct Before {
    /// Words of scheduler, and templates of servers, of the service.
    var scheduling: PacketJourney.Scheduling?
    var templates: [UInt16: UInt64] = [:]
  }

  /// Of a packet whose connection has not been settled.
  private static var nothing: Connection { Connection(word: .max) }

  private mutating func sight(_ journey: inout PacketJourney) -> Before {
    let packet = batch.packet(0)
    var before = Before()
    guard !packet.pointee.form.isFinished else { return before }
    packet.pointee.connection = WorkerState.nothing
    if packet.pointee.flags.contains(.fragment) {
      journey.kind = .fragment
      return before
    }
    if packet.pointee.flags.contains(.icmpError) {
      journey.kind = .error
      return before
    }
    sightEntry(&journey)
    if journey.kind != .reply, snapshot.pointee.markRules.count != 0 {
      let subject = markSubject(0)
      let rules = snapshot.pointee.markRules
      journey.mark = PacketJourney.Mark(value: rules.mark(of: subject), rules: rules.met(by: subject))
    }
    // Of a deleted service there are only connections.
    if journey.entry == nil, let number = journey.service, !service(number).pointee.isActive { journey.service = nil }
    if journey.service == nil || snapshot.pointee.hasWide && journey.entry == nil && journey.kind != .reply {
      let isReply = journey.kind == .reply
      let endpoint =
        journey.service ?? (isReply ? nil : anyPortService(packet.pointee, port: wideEnds(0).destinationPort))
      if let number = markService(0) ?? endpoint {
        journey.service = number
        journey.kind = .request
      }
    }
    if let number = journey.service, journey.kind == .request { before = state(of: number) }
    return before
  }

  /// Whose packet it is, and of which connection.
  private mutating func sightEntry(_ journey: inout PacketJourney) {
    let packet = batch.packet(0)
    var found: Connection?
    if !packet.pointee.flags.contains(.wide) {
      journey.kind = packet.pointee.isRequest ? .request : .reply
      let endpoint = snapshot.pointee.endpoint(UInt16(truncatingIfNeeded: packet.pointee.head))
      if endpoint.kind == .service { journey.service = endpoint.index }
      if packet.pointee.isIPv6 {
        let key = packet.pointee.keyV6
        found = shared.tableV6.find(key, hash: key.hash(shared.tableV6.secret)).map { shared.tableV6.load($0) }
      } else {
        let key = packet.pointee.keyV4
        found = shared.tableV4.find(key, hash: key.hash(shared.tableV4.secret)).map { shared.tableV4.load($0) }
      }
    }
    if found == nil, snapshot.pointee.hasWide {
      let ends = wideEnds(0)
      let (request, reply) = (requestKey(ends), replyKey(ends))
      let table = shared.tableWide
      if let slot = table.find(request, hash: request.hash(table.secret)), request.isExact(slot) {
        found = table.load(slot)
        journey.kind = .request
      } else if let slot = table.find(reply, hash: reply.hash(table.secret)) {
        found = table.load(slot)
        journey.kind = .reply
      }
    }
    guard let found, !found.isDead else { return }
    journey.entry = PacketJourney.Entry(
      server: server(found.server).pointee.owner, state: stateName(found),
      idleSeconds: Int(found.idleTicks(clock) / Clock.ticksPerSecond))
    if found.server != Connection.bypassServer { journey.service = server(found.server).pointee.service }
  }

  private func stateName(_ connection: Connection) -> String {
    let number = batch.packet(0).pointee.protocolNumber
    return ConnectionState.name(of: connection.state, TransportProtocol(rawValue: number) ?? .tcp)
  }

  /// What a service's scheduler would see.
  private mutating func state(of number: UInt16) -> Before {
    let service = service(number)
    let set = service.pointee.servers
    let flow = flow(of: 0)
    var before = Before()
    var scheduling = PacketJourney.Scheduling(
      name: service.pointee.scheduler.name, candidates: [],
      stateBefore: lbd_load_relaxed(shared.schedulerStates + Int(number)), stateAfter: 0)
    for position in 0..<set.count {
      let server = set.identifiers[position]
      let counts = lbd_load_relaxed(shared.connectionCounts + Int(server))
      scheduling.candidates.append(
        PacketJourney.Scheduling.Candidate(
          server: server, weight: set.weights[position], active: UInt32(truncatingIfNeeded: counts >> 32),
          inactive: UInt32(truncatingIfNeeded: counts), isOverloaded: set.isOverloaded(at: position)))
      before.templates[server] = lbd_load_relaxed(shared.templateCounts + Int(server))
    }
    if let place = service.pointee.scheduler.place(of: flow, in: set, flags: service.pointee.schedulerFlags) {
      scheduling.bucket = place.bucket
      scheduling.bucketCount = place.bucketCount
      scheduling.bucketServer = place.position.map { set.identifiers[$0] }
    }
    scheduling.isDestinationRemembered = service.pointee.scheduler.remembers(flow, in: set)
    before.scheduling = scheduling
    return before
  }

  // MARK: - Afterwards

  private mutating func see(_ journey: inout PacketJourney, since before: Before, opened: inout [UInt16: UInt64]) {
    let connection = batch.packet(0).pointee.connection
    var hasNone = false
    // Its form, of which it is by which method.
    var form: UInt16?
    if connection.word != WorkerState.nothing.word, journey.kind != .foreign {
      seeConnection(connection, &journey, &opened)
      form = journey.server == nil ? nil : connection.server
    } else if let entry = journey.entry {
      journey.server = entry.server == Connection.bypassServer ? nil : entry.server
    } else {
      hasNone = batch.outcomes[0] == .noServerAvailable
    }
    if let number = journey.server {
      let server = server(form ?? number)
      journey.service = journey.service ?? server.pointee.service
      journey.method = server.pointee.method
      journey.way = PacketJourney.Way(server.pointee.hop.state)
      let isNew = before.templates[number].map { lbd_load_relaxed(shared.templateCounts + Int(number)) > $0 } ?? false
      if journey.isOpening, service(server.pointee.service).pointee.persistenceSeconds != 0 {
        journey.template = isNew ? .made : .found
      }
    }
    guard let service = journey.service, var scheduling = before.scheduling else { return }
    guard hasNone || journey.isOpening && journey.template != .found else { return }
    scheduling.stateAfter = lbd_load_relaxed(shared.schedulerStates + Int(service))
    journey.scheduling = scheduling
  }

  private mutating func seeConnection(
    _ connection: Connection, _ journey: inout PacketJourney, _ opened: inout [UInt16: UInt64]
  ) {
    journey.stateAfter = connection.isDead ? nil : stateName(connection)
    let number = connection.server
    guard number != Connection.bypassServer else {
      journey.isOpening = journey.entry == nil
      return
    }
    journey.server = server(number).pointee.owner
    let count = counters.servers[Int(number)].connections
    journey.isOpening = count > opened[number] ?? 0
    opened[number] = count
    let server = server(number)
    guard server.pointee.method == .fullNAT else { return }
    let local = server.pointee.locals[connection.localAddress]
    let address = local.isIPv6 ? IPAddress(high: local.high, low: local.low) : IPAddress(v4: UInt32(local.low))
    journey.local = Endpoint(address: address, port: connection.localPort)
  }
}

extension PacketJourney.Way {
  init(_ state: NextHop.State) {
    switch state {
    case .unreachable: self = .noRoute
    case .unresolved: self = .unresolved
    case .resolved: self = .ready
    case .local: self = .local
    }
  }
}
