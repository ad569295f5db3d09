import Testing

@testable import Config

@Suite struct MethodTextTests {
  @Test(arguments: [
    ("NAT", ForwardingMethod.masquerading), ("DR", .directRouting), ("TUN", .tunnelling(.ipip)),
    ("TUN type ipip", .tunnelling(.ipip)), ("TUN type ipip nocsum", .tunnelling(.ipip)),
    ("FNAT", .fullNAT), ("FULLNAT", .fullNAT),
    ("TUN type gre", .tunnelling(Tunnel(kind: .gre))), ("TUN type gre nocsum", .tunnelling(Tunnel(kind: .gre))),
    ("TUN type gre csum", .tunnelling(Tunnel(kind: .gre, checksum: .csum))),
    ("TUN type gue port 6080", .tunnelling(Tunnel(kind: .gue(port: 6080)))),
    ("TUN csum type gue port 6080", .tunnelling(Tunnel(kind: .gue(port: 6080), checksum: .csum))),
    ("TUN type gue port 65535 remcsum", .tunnelling(Tunnel(kind: .gue(port: 65535), checksum: .remcsum))),
  ])
  func reads(text: String, method: ForwardingMethod) {
    let (found, findings) = parse(text)
    #expect(found == method)
    #expect(findings.isEmpty)
  }

  @Test(arguments: [
    ("TUN type gue", "needs 'port N'"), ("TUN port 5", "takes no port"), ("TUN type gre port 5", "takes no port"),
    ("TUN csum", "has no checksum"), ("TUN type gre remcsum", "for gue tunnels only"),
    ("TUN type vxlan", "needs ipip, gue or gre"), ("TUN type", "needs ipip, gue or gre"),
    ("TUN type gue port 0", "from 1 to 65535"), ("TUN fast", "not a tunnel option"), ("dr", "not a forwarding method"),
    ("", "needs a forwarding method"),
  ])
  func refuses(text: String, message: String) {
    let (found, findings) = parse(text)
    #expect(found == nil)
    #expect(findings.count == 1 && findings[0].message.contains(message), "\(findings)")
  }

  private func parse(_ text: String) -> (ForwardingMethod?, [Diagnostic]) {
    var lexer = Lexer()
    SourceText(bytes: Array("lb_kind \(text)".utf8), source: Source(file: "t")).forEachLine { lexer.read($0) }
    var parser = Parser(lines: lexer.lines)
    var diagnostics = DiagnosticList()
    let method = parser.parse().directives.first?.forwardingMethod(&diagnostics)
    return (method, diagnostics.sorted())
  }
}
