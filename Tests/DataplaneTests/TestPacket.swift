import Wire

/// A TCP segment or UDP datagram of a test; what is expected to come out is the same with a few properties changed.
struct TestPacket: Sendable {
  var source: IPAddress
  var destination: IPAddress
  var sourcePort: UInt16
  var destinationPort: UInt16
  var transport = TransportProtocol.tcp
  var flags = TCP.syn
  var timeToLive: UInt8 = 64
  var payload: [UInt8] = []
  var identification: UInt16 = 0x4711
  var fragment: UInt16 = 0
  var service: UInt8 = 0
  var options: [UInt8] = []
  var extensions: [(number: UInt8, body: [UInt8])] = []
  var hasChecksum = true
  var sequence: UInt32 = 1000
  var acknowledgement: UInt32 = 0
  var window: UInt16 = 8192
  var segmentOptions: [UInt8] = []

  /// From the usual client to the service's VIP.
  static func request(_ service: TestService, port: UInt16 = 40_000, _ flags: UInt8 = TCP.syn) -> TestPacket {
    TestPacket(
      source: Network.client(service.family), destination: Network.virtual(service.family), sourcePort: port,
      destinationPort: service.port, transport: service.transport, flags: flags)
  }

  /// From a real server to whoever it thinks it talks to.
  static func reply(
    _ service: TestService, server: Int = 0, to client: IPAddress? = nil, port: UInt16 = 40_000,
    _ flags: UInt8 = TCP.syn | TCP.ack
  ) -> TestPacket {
    TestPacket(
      source: Network.server(service.serverFamily ?? service.family, server),
      destination: client ?? Network.client(service.family),
      sourcePort: service.targetPort, destinationPort: port, transport: service.transport, flags: flags)
  }

  /// The same with some properties changed.
  func with(_ change: (inout TestPacket) -> Void) -> TestPacket {
    var copy = self
    change(&copy)
    return copy
  }

  /// One hop further.
  var hopped: TestPacket { with { $0.timeToLive -= 1 } }

  /// Appends the packet's layers.
  func layers(on builder: FrameBuilder) -> FrameBuilder {
    let network =
      source.family == .ipv4
      ? builder.ipv4(
        from: source, to: destination, timeToLive: timeToLive, identification: identification, fragment: fragment,
        service: service, options: options)
      : builder.ipv6(
        from: source, to: destination, hopLimit: timeToLive, trafficClass: service, extensions: extensions)
    let whole =
      transport == .tcp
      ? network.tcp(
        from: sourcePort, to: destinationPort, flags: flags, sequence: sequence, acknowledgement: acknowledgement,
        window: window, options: segmentOptions)
      : network.udp(from: sourcePort, to: destinationPort, hasChecksum: hasChecksum)
    return whole.payload(payload)
  }

  func frame(from: EthernetAddress, to: EthernetAddress) -> [UInt8] {
    layers(on: FrameBuilder(from: from, to: to)).frame
  }

  /// As it arrives from the clients' side.
  var arriving: [UInt8] { frame(from: Network.router, to: Network.outside) }
  /// As it leaves to a real server.
  func leaving(toServer number: Int = 0) -> [UInt8] { frame(from: Network.inside, to: Network.station(number)) }
  /// As it leaves to the router.
  var leavingToClient: [UInt8] { frame(from: Network.outside, to: Network.router) }
  /// Without Ethernet.
  var packet: [UInt8] { layers(on: FrameBuilder()).packet }
}
