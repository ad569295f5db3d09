import Wire

/// `lbd why`: which packet is asked about, and how the answer shall be.
public struct WhyQuestion: Hashable, Sendable {
  /// A packet described in words.
  public struct Flow: Hashable, Sendable {
    /// TCP, UDP or SCTP.
    public var transport: TransportProtocol
    /// Who sends it.
    public var source: Endpoint
    /// Who shall get it.
    public var destination: Endpoint
    /// Of a TCP segment.
    public var flags = TCP.syn
    /// TTL, hop limit.
    public var hops: UInt8 = 64
    /// Bytes of payload.
    public var payloadByteCount = 0
  }

  /// A frame of a capture.
  public struct Frame: Hashable, Sendable {
    /// Since the first one.
    public var nanoseconds: UInt64
    /// From its Ethernet header on.
    public var bytes: [UInt8]

    /// A frame.
    public init(nanoseconds: UInt64, bytes: [UInt8]) {
      self.nanoseconds = nanoseconds
      self.bytes = bytes
    }
  }

  /// nil: about `frames`.
  public var flow: Flow?
  /// What came in a capture.
  public var frames: [Frame] = []
  /// The interface it comes by; nil: which it would come by.
  public var interface: String?
  /// The worker whose queue it comes by.
  public var worker = 0
  /// For programs.
  public var isJSON = false

  /// The most packets of one question.
  public static let frameLimit = 4096
  /// The most payload of a packet in words: what fits a frame anywhere.
  public static let payloadLimit = 3600

  /// About frames.
  public init(frames: [Frame]) { self.frames = frames }

  /// From the words of a command line, without `why`.
  /// - Parameter input: frames, for `--capture`.
  public init(words: [String], input: [UInt8] = []) throws(IpvsadmError) {
    var rest = words[...]
    var positions: [String] = []
    var options: [String: String] = [:]
    var isCapture = false
    while let word = rest.popFirst() {
      switch word {
      case "--json": isJSON = true
      case "--capture": isCapture = true
      case "--interface", "--worker", "--flags", "--ttl", "--size":
        guard let value = rest.popFirst() else { throw WhyQuestion.error("\(word) wants a value") }
        options[word] = value
      case _ where word.hasPrefix("-"): throw WhyQuestion.error("\(word) is not known")
      default: positions.append(word)
      }
    }
    interface = options["--interface"]
    worker = try WhyQuestion.number(options["--worker"] ?? "0", 0...255, "--worker")
    if isCapture {
      guard positions.isEmpty, options["--flags"] == nil, options["--ttl"] == nil, options["--size"] == nil else {
        throw WhyQuestion.error("a capture says itself what its packets are")
      }
      frames = try WhyQuestion.frames(input)
    } else {
      flow = try WhyQuestion.flow(positions, options)
    }
  }

  /// The words that mean this.
  public var words: [String] {
    var words = ["--worker", "\(worker)"]
    if isJSON { words.append("--json") }
    if let interface { words += ["--interface", interface] }
    guard let flow else { return words + ["--capture"] }
    words += ["--flags", WhyQuestion.flagText(flow.flags)]
    words += ["--ttl", "\(flow.hops)", "--size", "\(flow.payloadByteCount)"]
    return words + [flow.transport.name.lowercased(), "\(flow.source)", "\(flow.destination)"]
  }

  /// The frames as a request carries them.
  public var input: [UInt8] {
    var bytes: [UInt8] = []
    for frame in frames {
      bytes.append(number: Int(frame.nanoseconds >> 32))
      bytes.append(number: Int(frame.nanoseconds & 0xffff_ffff))
      bytes.append(counted: frame.bytes)
    }
    return bytes
  }

  // MARK: - Parts

  private static func error(_ text: String) -> IpvsadmError { IpvsadmError("why: \(text)", exitCode: 2) }

  private static func number(_ text: String, _ range: ClosedRange<Int>, _ name: String) throws(IpvsadmError) -> Int {
    guard let number = Int(text), range.contains(number) else {
      throw error("\(name) takes \(range.lowerBound) to \(range.upperBound), not '\(text)'")
    }
    return number
  }

  private static func flow(_ words: [String], _ options: [String: String]) throws(IpvsadmError) -> Flow {
    guard words.count == 3 else {
      throw error("a packet is PROTOCOL SOURCE DESTINATION, as in: tcp 192.0.2.7:40000 198.51.100.1:80")
    }
    guard let transport = TransportProtocol.allCases.first(where: { $0.name.lowercased() == words[0].lowercased() })
    else { throw error("the protocol is tcp, udp or sctp, not '\(words[0])'") }
    var flow = Flow(transport: transport, source: try endpoint(words[1]), destination: try endpoint(words[2]))
    guard flow.source.address.family == flow.destination.address.family else {
      throw error("\(flow.source) and \(flow.destination) are not of one family")
    }
    if let text = options["--flags"] { flow.flags = try flags(text) }
    if let text = options["--ttl"] { flow.hops = UInt8(try number(text, 0...255, "--ttl")) }
    if let text = options["--size"] { flow.payloadByteCount = try number(text, 0...payloadLimit, "--size") }
    return flow
  }

  private static func endpoint(_ text: String) throws(IpvsadmError) -> Endpoint {
    let remedy = "an end is ADDRESS:PORT, of IPv6 [ADDRESS]:PORT, not '\(text)'"
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
      throw error(remedy)
    }
    var host = text[..<colon]
    let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
    if isBracketed { host = host.dropFirst().dropLast() }
    guard let address = IPAddress(String(host)), isBracketed == (address.family == .ipv6) else { throw error(remedy) }
    return Endpoint(address: address, port: port)
  }

  private static let flagNames: [(name: String, bit: UInt8)] = [
    ("fin", TCP.fin), ("syn", TCP.syn), ("rst", TCP.rst), ("psh", TCP.psh), ("ack", TCP.ack), ("urg", TCP.urg),
  ]

  private static func flagText(_ flags: UInt8) -> String {
    let names = flagNames.filter { flags & $0.bit != 0 }.map(\.name)
    return names.isEmpty ? "none" : names.joined(separator: ",")
  }

  private static func flags(_ text: String) throws(IpvsadmError) -> UInt8 {
    if text == "none" { return 0 }
    var flags: UInt8 = 0
    for word in text.lowercased().split(separator: ",", omittingEmptySubsequences: false) {
      guard let flag = flagNames.first(where: { $0.name == word }) else {
        throw error("--flags takes some of \(flagNames.map(\.name).joined(separator: ",")), or none; not '\(text)'")
      }
      flags |= flag.bit
    }
    return flags
  }

  private static func frames(_ input: [UInt8]) throws(IpvsadmError) -> [Frame] {
    var rest = input[...]
    var frames: [Frame] = []
    func number() -> UInt64 {
      defer { rest = rest.dropFirst(4) }
      return rest.prefix(4).reduce(0) { $0 << 8 | UInt64($1) }
    }
    while !rest.isEmpty {
      guard rest.count >= 12 else { throw error("a frame is cut short") }
      let nanoseconds = number() << 32 | number()
      let count = Int(number())
      guard count <= rest.count else { throw error("a frame is cut short") }
      guard frames.count < frameLimit else { throw error("more than \(frameLimit) packets") }
      frames.append(Frame(nanoseconds: nanoseconds, bytes: Array(rest.prefix(count))))
      rest = rest.dropFirst(count)
    }
    return frames
  }
}
