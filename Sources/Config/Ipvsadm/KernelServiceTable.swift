import Wire

/// `/proc/net/ip_vs`, the kernel's own list of services: addresses and ports in hexadecimal, servers below their service.
///
/// It does not say everything: thresholds, kinds of tunnel and the scheduler's flags are not in it.
public enum KernelServiceTable {
  /// A line that is not understood.
  public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// From 1.
    public let line: Int
    /// What is wrong.
    public let description: String
  }

  /// The services in the order of the table.
  public static func parse(_ bytes: [UInt8]) -> Result<[VirtualService], Failure> {
    var services: [VirtualService] = []
    for (index, line) in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      let words = line.split(separator: UInt8(ascii: " ")).prefix(32).map { String(decoding: $0, as: UTF8.self) }
      guard let first = words.first else { continue }
      switch first {
      case "IP", "Prot": continue
      case "->" where words.dropFirst().first == "RemoteAddress:Port": continue
      case "->":
        guard let server = server(words), !services.isEmpty else { return .failure(complaint(index, line)) }
        services[services.count - 1].realServers.append(server)
      default:
        guard let service = service(words) else { return .failure(complaint(index, line)) }
        services.append(service)
      }
    }
    return .success(services.map(withFamily))
  }

  private static func complaint(_ index: Int, _ line: ArraySlice<UInt8>) -> Failure {
    let text = quoted(String(decoding: line.prefix(200), as: UTF8.self))
    return Failure(line: index + 1, description: "line \(index + 1) is not one of ip_vs's: \(text)")
  }

  /// `TCP 0A000001:0050 wlc persistent 360 FFFFFFFF` or `FWM 00000001 rr`
  private static func service(_ words: [String]) -> VirtualService? {
    guard words.count >= 3, Defaults.schedulerNames.contains(words[2]) else { return nil }
    let key: ServiceKey
    if words[0] == "FWM" {
      guard let mark = UInt32(words[1], radix: 16) else { return nil }
      key = .mark(mark, .ipv4)
    } else {
      guard let transport = TransportProtocol.allCases.first(where: { $0.name == words[0] }),
        let endpoint = endpoint(words[1])
      else { return nil }
      key = .address(transport, endpoint)
    }
    var service = VirtualService(key: key)
    service.schedulerName = words[2]
    var rest = words.dropFirst(3)
    while let word = rest.popFirst() {
      switch word {
      case "ops": service.onePacket = true
      case "persistent":
        guard let time = rest.popFirst().flatMap(decimal), let mask = rest.popFirst() else { return nil }
        // IPv4's mask is in hexadecimal, IPv6's a length.
        service.persistenceSeconds = time
        if key.family == .ipv6 {
          service.persistenceMask = .ipv6(min(decimal(mask) ?? 128, 128))
        } else {
          guard let bits = UInt32(mask, radix: 16) else { return nil }
          service.persistenceMask = .ipv4(bits)
        }
      default: return nil
      }
    }
    return service
  }

  /// `-> 0A010001:0050 Masq 1 0 0`
  private static func server(_ words: [String]) -> RealServer? {
    guard words.count >= 4, let endpoint = endpoint(words[1]), let weight = decimal(words[3]) else { return nil }
    var server = RealServer(endpoint: endpoint)
    server.weight = Int32(clamping: weight)
    switch words[2] {
    case "Masq": server.methodOverride = .masquerading
    case "Route", "Local": server.methodOverride = .directRouting
    case "Tunnel": server.methodOverride = .tunnelling(.ipip)
    default: return nil
    }
    return server
  }

  /// `0A000001:0050` or `[2001:0db8:…]:0050`.
  private static func endpoint(_ text: String) -> Endpoint? {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...], radix: 16) else {
      return nil
    }
    let address = text[..<colon]
    if address.hasPrefix("["), address.hasSuffix("]") {
      return IPAddress(String(address.dropFirst().dropLast())).map { Endpoint(address: $0, port: port) }
    }
    guard address.utf8.count == 8, let number = UInt32(address, radix: 16) else { return nil }
    return Endpoint(address: IPAddress(v4: number), port: port)
  }

  /// The family of a mark is not in the table: it is its servers'.
  private static func withFamily(_ service: VirtualService) -> VirtualService {
    guard case .mark(let mark, _) = service.key, let first = service.realServers.first,
      first.endpoint.address.family == .ipv6
    else { return service }
    var other = service
    other.key = .mark(mark, .ipv6)
    other.persistenceMask = .full(.ipv6)
    return other
  }
}
