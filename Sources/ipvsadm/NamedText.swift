import Config
import Wire

/// A listing with names in the places that lbd has marked for them. Each name is looked up once.
struct NamedText {
  /// The beginning of a mark whose end has not come yet.
  private var pending: [UInt8] = []
  private var hosts: [IPAddress: String?] = [:]

  /// - Returns: what can be printed by now.
  mutating func take(_ bytes: [UInt8]) -> [UInt8] {
    let text = pending + bytes
    pending = []
    guard text.contains(MarkedEndpoint.bounds.open) else { return text }
    var result: [UInt8] = []
    var rest = text[...]
    while let open = rest.firstIndex(of: MarkedEndpoint.bounds.open) {
      result += rest[..<open]
      guard let close = rest[open...].firstIndex(of: MarkedEndpoint.bounds.close) else {
        pending = Array(rest[open...])
        return result
      }
      result += named(rest[(open + 1)..<close])
      rest = rest[(close + 1)...]
    }
    return result + rest
  }

  /// Whatever is left.
  func end() -> [UInt8] { pending }

  private mutating func named(_ text: ArraySlice<UInt8>) -> [UInt8] {
    guard let marked = MarkedEndpoint(text) else { return Array(text) }
    let address = marked.endpoint.address
    let host = hosts[address] ?? NameResolver.name(of: address)
    hosts[address] = .some(host)
    let port = marked.transport.flatMap { NameResolver.name(ofPort: marked.endpoint.port, $0) }
    return Array(marked.column(host: host, port: port).utf8)
  }
}
