// `lb_kind` and `lvs_method`: NAT, DR, FNAT (also FULLNAT), or
// TUN [type ipip | type gue port N | type gre] [nocsum | csum | remcsum].

extension Directive {
  /// The forwarding method this directive names, or nil with an error.
  func forwardingMethod(_ diagnostics: inout DiagnosticList) -> ForwardingMethod? {
    guard let word = argument(0, "a forwarding method", &diagnostics) else { return nil }
    switch word.text {
    case "NAT": return .masquerading
    case "DR": return .directRouting
    case "FNAT", "FULLNAT": return .fullNAT
    case "TUN":
      return tunnel(&diagnostics).map { .tunnelling($0) }
    default:
      diagnostics.error(
        at: word.position, "\(quoted(word.text)) is not a forwarding method",
        remedy: "write one of NAT, DR, TUN, FNAT in capitals")
      return nil
    }
  }

  private func tunnel(_ diagnostics: inout DiagnosticList) -> Tunnel? {
    var type = "ipip"
    var port: UInt16?
    var checksum = Tunnel.Checksum.none
    var rest = words.dropFirst(2)
    while let word = rest.popFirst() {
      switch word.text {
      case "nocsum": checksum = .none
      case "csum": checksum = .csum
      case "remcsum": checksum = .remcsum
      case "type":
        guard let name = rest.popFirst(), ["ipip", "gue", "gre"].contains(name.text) else {
          diagnostics.error(at: word.position, "'type' needs ipip, gue or gre")
          return nil
        }
        type = name.text
      case "port":
        guard let text = rest.popFirst()?.text, let number = decimal(text), (1...65535).contains(number) else {
          diagnostics.error(at: word.position, "'port' needs a number from 1 to 65535")
          return nil
        }
        port = UInt16(number)
      default:
        diagnostics.error(
          at: word.position, "\(quoted(word.text)) is not a tunnel option",
          remedy: "write type ipip, type gue port N or type gre, then nocsum, csum or remcsum")
        return nil
      }
    }
    return combine(type: type, port: port, checksum: checksum, &diagnostics)
  }

  private func combine(
    type: String, port: UInt16?, checksum: Tunnel.Checksum, _ diagnostics: inout DiagnosticList
  ) -> Tunnel? {
    let complaint: String?
    switch (type, port, checksum) {
    case ("gue", nil, _): complaint = "a gue tunnel needs 'port N'"
    case ("ipip", .some, _), ("gre", .some, _): complaint = "a tunnel of type \(type) takes no port"
    case ("ipip", _, .csum), ("ipip", _, .remcsum): complaint = "a tunnel of type ipip has no checksum"
    case ("gre", _, .remcsum): complaint = "remcsum is for gue tunnels only"
    default: complaint = nil
    }
    if let complaint {
      diagnostics.error(at: position, complaint)
      return nil
    }
    switch (type, port) {
    case ("gue", let port?): return Tunnel(kind: .gue(port: port), checksum: checksum)
    case ("gre", _): return Tunnel(kind: .gre, checksum: checksum)
    default: return .ipip
    }
  }
}

extension ForwardingMethod {
  /// As it is written behind `lb_kind`.
  public var words: String {
    guard case .tunnelling(let tunnel) = self else { return name }
    let checksum =
      switch tunnel.checksum {
      case .none: ""
      case .csum: " csum"
      case .remcsum: " remcsum"
      }
    return switch tunnel.kind {
    case .ipip: name
    case .gue(let port): "\(name) type gue port \(port)" + checksum
    case .gre: "\(name) type gre" + checksum
    }
  }
}
