import Wire

// Names in listings. Only the client can know them, but it should not have to understand listings: so lbd marks each
// endpoint in the text with the protocol it belongs to and the column it stands in, and the client puts in what it has.
//
//     \u{1} t|u|s|- WW CC 10.0.0.1:80 \u{2}      pad to WW bytes; cut to CC bytes if it is IPv4

/// An endpoint in a text, and the column it is to fill.
public struct MarkedEndpoint: Hashable, Sendable {
  /// The endpoint.
  public let endpoint: Endpoint
  /// Whose ports these are; nil where a mark stands for all.
  public let transport: TransportProtocol?
  /// Of the column, in bytes; 0 is as wide as the text.
  public let width: Int
  /// IPv4 is cut to this many bytes, 0 is never.
  public let limit: Int

  /// Before and after a marked endpoint.
  public static let bounds: (open: UInt8, close: UInt8) = (1, 2)

  /// An endpoint in its column.
  public init(_ endpoint: Endpoint, _ transport: TransportProtocol?, width: Int, limit: Int) {
    self.endpoint = endpoint
    self.transport = transport
    self.width = width
    self.limit = limit
  }

  /// With its marks.
  public var marked: String {
    let letter = transport.map { $0.name.prefix(1).lowercased() } ?? "-"
    let numbers = [width, limit].map { ($0 < 10 ? "0" : "") + "\($0)" }.joined()
    return "\u{1}\(letter)\(numbers)\(endpoint)\u{2}"
  }

  /// Reads what stands between the marks.
  public init?(_ text: ArraySlice<UInt8>) {
    let text = Array(text)
    guard text.count > 5 else { return nil }
    let numbers = String(decoding: text[1..<5], as: UTF8.self)
    guard let number = decimal(numbers),
      let endpoint = IpvsadmNames().endpoint(String(decoding: text[5...], as: UTF8.self), defaultPort: 0, .tcp)
    else { return nil }
    switch text[0] {
    case UInt8(ascii: "t"): transport = .tcp
    case UInt8(ascii: "u"): transport = .udp
    case UInt8(ascii: "s"): transport = .sctp
    default: transport = nil
    }
    self.endpoint = endpoint
    width = number / 100
    limit = number % 100
  }

  /// Fills the column.
  public func column(host: String?, port: String?) -> String {
    let host = host ?? "\(endpoint.address)"
    let isIPv4 = endpoint.address.family == .ipv4
    var text = isIPv4 ? host : "[\(host)]"
    text += ":" + (port ?? "\(endpoint.port)")
    if isIPv4, limit > 0, text.utf8.count > limit { text = String(decoding: text.utf8.prefix(limit), as: UTF8.self) }
    let missing = width - text.utf8.count
    return missing > 0 ? text + String(repeating: " ", count: missing) : text
  }
}
