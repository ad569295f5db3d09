import Wire

// What the names in a command line mean: `www:http` instead of `10.0.0.1:80`.
//
// Names are the business of the machine and the network where ipvsadm was typed, and looking them up takes as long as it
// takes. So the client does it, beforehand: it finds out which names a command line has (`wanted`), and sends what they
// mean along with it. Here nothing is looked up but in that table.

/// Hosts and ports by name.
public struct IpvsadmNames: Hashable, Sendable {
  /// A port by the name its protocol knows it by.
  public struct Port: Hashable, Sendable {
    /// `http`
    public let name: String
    /// Whose port.
    public let transport: TransportProtocol

    /// A name.
    public init(name: String, transport: TransportProtocol) {
      self.name = name
      self.transport = transport
    }
  }

  /// Addresses of hosts.
  public var hosts: [String: IPAddress] = [:]
  /// Numbers of ports.
  public var ports: [Port: UInt16] = [:]

  /// Only numbers are understood.
  public init() {}

  /// `10.0.0.1`, `10.0.0.1:80`, `2001:db8::1`, `[2001:db8::1]:80`, and IPv4's with names: `www`, `www:http`.
  func endpoint(_ text: String, defaultPort: UInt16, _ transport: TransportProtocol) -> Endpoint? {
    if let address = IPAddress(text) { return Endpoint(address: address, port: defaultPort) }
    guard let (host, port) = IpvsadmNames.parts(text) else { return nil }
    guard let address = address(of: host) else { return nil }
    guard let port else { return Endpoint(address: address, port: defaultPort) }
    if let number = IpvsadmNames.number(port) ?? ports[Port(name: port, transport: transport)] {
      return Endpoint(address: address, port: number)
    }
    return nil
  }

  private func address(of host: String) -> IPAddress? {
    if host.hasPrefix("["), host.hasSuffix("]") {
      guard let address = IPAddress(String(host.dropFirst().dropLast())), address.family == .ipv6 else { return nil }
      return address
    }
    let address = IPAddress(host) ?? hosts[host]
    return address?.family == .ipv4 ? address : nil
  }

  /// Host and port; brackets want a port, and a host is never a bare number.
  private static func parts(_ text: String) -> (host: String, port: String?)? {
    guard let colon = text.lastIndex(of: ":") else { return isName(text) ? (text, nil) : nil }
    let host = String(text[..<colon])
    let port = String(text[text.index(after: colon)...])
    guard !host.isEmpty, !port.isEmpty, host.hasPrefix("[") || !host.contains(":") else { return nil }
    return (host, port)
  }

  private static func isName(_ text: String) -> Bool {
    !text.isEmpty && !text.hasPrefix("[") && !text.utf8.allSatisfy { (48...57).contains($0) || $0 == UInt8(ascii: ".") }
  }

  private static func number(_ text: String) -> UInt16? {
    decimal(text).flatMap { $0 <= 65535 ? UInt16($0) : nil }
  }

  /// The names in a command line that numbers are needed for. What cannot be read has none.
  public static func wanted(in arguments: [String]) -> (hosts: Set<String>, ports: Set<Port>) {
    var hosts: Set<String> = []
    var ports: Set<Port> = []
    var transport = TransportProtocol.tcp
    var scanner = IpvsadmScanner(arguments)
    while let found = try? scanner.next() {
      switch found.option {
      case .tcpService: transport = .tcp
      case .udpService: transport = .udp
      case .sctpService: transport = .sctp
      case .realServer: break
      default: continue
      }
      guard let value = found.value, IPAddress(value) == nil, let (host, port) = parts(value) else { continue }
      if isName(host), IPAddress(host) == nil { hosts.insert(host) }
      if let port, !port.utf8.allSatisfy({ (48...57).contains($0) }) {
        ports.insert(Port(name: port, transport: transport))
      }
    }
    return (hosts, ports)
  }

  /// True when the command reads lines from its standard input.
  public static func readsLines(_ arguments: [String]) -> Bool {
    var scanner = IpvsadmScanner(arguments)
    return (try? scanner.next())?.option == .restore
  }
}

extension ServiceKey {
  /// The protocol of an address; nil for a mark, which is of all.
  public var transport: TransportProtocol? {
    if case .address(let transport, _) = self { return transport }
    return nil
  }
}
