import Config
import Dataplane
import Wire

/// The frames that a question is about, as they would come to a worker.
struct WhyFrames {
  private let place: WhyPlace

  /// Whoever stands for a neighbour whose MAC address is not known; nothing depends on it.
  private static let stranger = EthernetAddress(0x02_0000_0000_01)

  init(_ place: WhyPlace) { self.place = place }

  func frames(of question: WhyQuestion) throws(IpvsadmError) -> [ProbeFrame] {
    guard !place.ports.links.isEmpty else { throw WhyFrames.error("lbd has no interface") }
    if let flow = question.flow { return [try frame(of: flow, question.interface)] }
    var wanted: Int?
    if let name = question.interface { wanted = try port(of: try link(named: name)) }
    let addresses = place.addresses
    return question.frames.map { frame in
      let address = EthernetAddress(bytes: frame.bytes.prefix(6))
      let port = wanted ?? addresses.firstIndex { $0 == address } ?? 0
      return ProbeFrame(frame.bytes, interface: port, nanoseconds: place.nowNanoseconds &+ frame.nanoseconds)
    }
  }

  private func frame(of flow: WhyQuestion.Flow, _ name: String?) throws(IpvsadmError) -> ProbeFrame {
    let route = place.topology.route(to: flow.source.address)
    var link = route?.link.flatMap { place.topology.links[$0] }
    if let name { link = try self.link(named: name) }
    // From where nothing leads to, it comes by the first interface.
    let arriving: Topology.Link
    if let link, name != nil || (try? port(of: link)) != nil {
      arriving = link
    } else if let first = place.topology.links[place.ports.links[0]] {
      arriving = first
    } else {
      throw WhyFrames.error("lbd has no interface")
    }
    let port = try port(of: arriving)
    let station = Topology.Station(address: route?.gateway ?? flow.source.address, link: arriving.index)
    var builder = FrameBuilder(
      from: place.topology.neighbours[station] ?? WhyFrames.stranger, to: place.addresses[port])
    if let vlan = arriving.vlan { builder = builder.vlan(vlan.tag) }
    let packet = builder.ip(from: flow.source.address, to: flow.destination.address, timeToLive: flow.hops)
    let payload = [UInt8](repeating: 0, count: flow.payloadByteCount)
    let whole: FrameBuilder
    switch flow.transport {
    case .tcp: whole = packet.tcp(from: flow.source.port, to: flow.destination.port, flags: flow.flags).payload(payload)
    case .udp: whole = packet.udp(from: flow.source.port, to: flow.destination.port).payload(payload)
    case .sctp:
      let number = TransportProtocol.sctp.rawValue
      let (source, destination) = (flow.source.address, flow.destination.address)
      let network =
        source.family == .ipv4
        ? builder.ipv4(from: source, to: destination, timeToLive: flow.hops, protocolNumber: number)
        : builder.ipv6(from: source, to: destination, hopLimit: flow.hops, protocolNumber: number)
      whole = network.payload(WhyFrames.initiation(from: flow.source.port, to: flow.destination.port))
    }
    return ProbeFrame(whole.frame, interface: port, nanoseconds: place.nowNanoseconds)
  }

  /// An SCTP packet with an INIT chunk (RFC 9260 section 3.3.2).
  private static func initiation(from source: UInt16, to destination: UInt16) -> [UInt8] {
    func big(_ number: UInt32, _ count: Int) -> [UInt8] {
      (0..<count).reversed().map { UInt8(truncatingIfNeeded: number >> UInt32($0 * 8)) }
    }
    let chunk = [1, 0] + big(20, 2) + big(1, 4) + big(65_536, 4) + big(1, 2) + big(1, 2) + big(1, 4)
    var packet = big(UInt32(source), 2) + big(UInt32(destination), 2) + big(0, 4) + big(0, 4) + chunk
    let checksum = packet.withUnsafeBytes { CRC32C.sctp($0) }
    packet.replaceSubrange(8..<12, with: big(checksum, 4).reversed())
    return packet
  }

  private func link(named name: String) throws(IpvsadmError) -> Topology.Link {
    guard let link = place.topology.link(named: name) else { throw WhyFrames.error("there is no interface \(name)") }
    return link
  }

  private func port(of link: Topology.Link) throws(IpvsadmError) -> Int {
    if let index = place.ports.links.firstIndex(of: link.index) { return index }
    if let parent = link.vlan?.parent, let index = place.ports.links.firstIndex(of: parent) { return index }
    let names = place.ports.links.indices.map { place.name(ofInterface: $0) }.joined(separator: ", ")
    throw WhyFrames.error("\(link.name) is none of lbd's interfaces (\(names))")
  }

  private static func error(_ text: String) -> IpvsadmError { IpvsadmError("why: \(text)", exitCode: 1) }
}
