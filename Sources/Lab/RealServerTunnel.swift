import Glibc
import Kernel
import Wire

// The tunnel part of a real server's setup: the decapsulating XDP program, and the segment size.
//
// The director adds an outer header to a client's packet. A client that was told the usual segment size fills its
// packets to the link's limit, and with the outer header they no longer fit: small requests work, uploads hang. The
// cure is at the real server, which names the segment size in its SYN-ACK: `advmss` of the routes back to clients.

extension RealServerHost {
  func attach(
    to link: Link, _ request: Request, _ state: inout RealServerState, _ file: borrowing RealServerStateFile,
    _ network: inout NetlinkSocket, _ attachDecapsulation: (Decapsulation) throws -> Void
  ) throws {
    let endpoints = try endpoints(on: link, request, &network)
    let names = endpoints.map(\.description) + request.guePorts.map { "gue:\($0)" }
    let recorded = state.programs.firstIndex { $0.interface == link.name }
    if let current = link.xdpProgramIdentifier {
      // Recorded without a number: an earlier setup ended between attaching and noting it, so it may well be ours.
      guard let recorded, [nil, current].contains(state.programs[recorded].identifier) else {
        throw SystemError(
          "attach the tunnel program to \(link.name)", errno: EBUSY,
          remedy: "XDP program \(current) is there; take it off: ip link set \(link.name) xdp off")
      }
      if state.programs[recorded] == .init(interface: link.name, identifier: current, endpoints: names) {
        return report("tunnel program \(current) is on \(link.name) already")
      }
    }
    state.programs.removeAll { $0.interface == link.name }
    state.programs.append(.init(interface: link.name, identifier: nil, endpoints: names))
    try file.save(state)
    try attachDecapsulation(
      Decapsulation(
        interfaceIndex: link.index, interfaceName: link.name, endpoints: endpoints, guePorts: request.guePorts))
    guard let identifier = try network.link(named: link.name)?.xdpProgramIdentifier else {
      throw SystemError(
        "attach the tunnel program to \(link.name)", errno: ENOENT, remedy: "no program stayed on the interface")
    }
    state.programs[state.programs.count - 1].identifier = identifier
    try file.save(state)
    report("attach tunnel program \(identifier) to \(link.name) for \(names.joined(separator: " "))")
  }

  private func endpoints(
    on link: Link, _ request: Request, _ network: inout NetlinkSocket
  ) throws -> [IPAddress] {
    let own = try network.addresses().filter { $0.linkIndex == link.index }.map(\.prefix.address)
    if let stranger = request.endpoints.first(where: { !own.contains($0) }) {
      throw SystemError(
        "end tunnels at \(stranger)", errno: EADDRNOTAVAIL, remedy: "not an address of \(link.name)")
    }
    let endpoints = request.endpoints.isEmpty ? own.filter { !$0.isLinkLocal } : request.endpoints
    guard !endpoints.isEmpty else {
      throw SystemError(
        "end tunnels at \(link.name)", errno: EADDRNOTAVAIL, remedy: "it has no address a director could send to")
    }
    return endpoints.sorted()
  }

  /// Largest segment that fits the link with an outer header: the outer and inner addresses' families decide.
  static func segmentLimit(mtu: Int, vip: IPAddress.Family, endpoints: [IPAddress]) -> Int {
    let outer = endpoints.contains { $0.family == .ipv6 } ? 40 : 20
    let inner = vip == .ipv4 ? 20 : 40
    let tcp = 20
    return mtu - outer - inner - tcp
  }

  /// Applies the segment size that was asked for, or says which one is needed.
  func limitSegments(
    _ request: Request, _ link: Link, _ state: inout RealServerState, _ file: borrowing RealServerStateFile,
    _ network: inout NetlinkSocket
  ) throws {
    let endpoints = try endpoints(on: link, request, &network)
    for family in Set(request.vips.map(\.family)).sorted(by: { $0.rawValue < $1.rawValue }) {
      let limit = RealServerHost.segmentLimit(mtu: link.mtu, vip: family, endpoints: endpoints)
      guard let size = request.advertisedMSS else {
        report(
          "clients' full packets do not fit the tunnel and cost a round trip: use --advmss \(limit) (12 less for GUE, 8"
            + " for GRE), or give the IPv\(family.rawValue) routes back to clients that advmss")
        continue
      }
      if size > limit { report("advmss \(size) is more than the \(limit) that fit the tunnel on \(link.name)") }
      for record in try network.routeRecords() where isWayBack(record.route, over: link, family) {
        try announce(record, size, &state, file, &network)
      }
    }
  }

  private func isWayBack(_ route: Route, over link: Link, _ family: IPAddress.Family) -> Bool {
    let destination = route.destination.address
    return route.kind == .unicast && route.linkIndex == link.index && destination.family == family
      && !destination.isLinkLocal && !destination.isMulticast
  }

  private func announce(
    _ record: RouteRecord, _ size: Int, _ state: inout RealServerState, _ file: borrowing RealServerStateFile,
    _ network: inout NetlinkSocket
  ) throws {
    let destination = record.route.destination.description
    guard record.advertisedMSS != size else { return report("route \(destination) has advmss \(size) already") }
    guard let changed = record.announcing(maximumSegmentSize: size) else { return }
    let value = hexadecimal(changed.bytes)
    // A route that was changed before keeps the record of how it was at first.
    if let index = state.routes.firstIndex(where: { $0.value == hexadecimal(record.bytes) }) {
      state.routes[index].value = value
    } else {
      state.routes.append(.init(destination: destination, previous: hexadecimal(record.bytes), value: value))
    }
    try file.save(state)
    try network.replaceRoute(by: changed)
    report("set route \(destination) advmss \(record.advertisedMSS.map(String.init) ?? "none") -> \(size)")
  }

  func restore(_ entry: RealServerState.Route, _ network: inout NetlinkSocket) throws {
    guard let previous = bytes(entry.previous).flatMap(RouteRecord.init(bytes:)) else {
      return report("left route \(entry.destination): its record is damaged")
    }
    let size = bytes(entry.value).flatMap(RouteRecord.init(bytes:))?.advertisedMSS
    guard try isAsSet(entry, &network) else {
      return report("left route \(entry.destination): gone, or changed since lbd set its advmss")
    }
    try network.replaceRoute(by: previous)
    report(
      "set route \(entry.destination) advmss \(size.map(String.init) ?? "none") -> "
        + (previous.advertisedMSS.map(String.init) ?? "none"))
  }

  func describe(_ entry: RealServerState.Route, _ network: inout NetlinkSocket) throws -> String {
    let size = bytes(entry.value).flatMap(RouteRecord.init(bytes:))?.advertisedMSS
    let text = "route \(entry.destination) advmss \(size.map(String.init) ?? "none")"
    return try isAsSet(entry, &network) ? "\(text) (lbd)" : "\(text) differs: gone or changed (lbd)"
  }

  private func isAsSet(_ entry: RealServerState.Route, _ network: inout NetlinkSocket) throws -> Bool {
    guard let value = bytes(entry.value).flatMap(RouteRecord.init(bytes:)) else { return false }
    return try network.routeRecords().contains { $0.route == value.route && $0.advertisedMSS == value.advertisedMSS }
  }
}

private func hexadecimal(_ bytes: [UInt8]) -> String {
  bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
}

private func bytes(_ hexadecimal: String) -> [UInt8]? {
  let digits = Array(hexadecimal.utf8)
  guard digits.count % 2 == 0 else { return nil }
  let bytes = stride(from: 0, to: digits.count, by: 2).compactMap {
    UInt8(String(decoding: digits[$0...($0 + 1)], as: UTF8.self), radix: 16)
  }
  return bytes.count * 2 == digits.count ? bytes : nil
}
