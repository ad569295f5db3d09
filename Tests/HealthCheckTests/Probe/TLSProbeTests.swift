import Foundation
import NIOSSL
import Testing

@testable import HealthCheck

/// SSL_GET with a certificate that nobody knows.
@Suite(.enabled(if: Certificate.openssl != nil, "needs the openssl command")) struct TLSProbeTests {
  private static let answer = Array("HTTP/1.1 200 OK\r\n\r\nbody".utf8)

  private static func kind(_ change: (inout TLSDefinition) -> Void = { _ in }) -> CheckKind {
    var tls = TLSDefinition()
    change(&tls)
    return .http(HTTPDefinition(pages: [HTTPDefinition.Page(path: "/")], tls: tls))
  }

  /// One attempt against a server that has the certificate; and whether the name was in what it sent.
  private static func result(
    _ certificate: Certificate, _ kind: CheckKind, _ last: ScriptedServer.Step = .close
  ) async throws -> (result: AttemptResult, namesServer: Bool) {
    let server = try await ScriptedServer(
      tls: certificate.serverContext(), [.hear("\r\n\r\n"), .trickle(answer), last])
    let result = await Attempts.one(kind, at: server.endpoint)
    let hello = server.requests.first ?? []
    try await server.stop()
    return (result, Data(hello).range(of: Data("web.example".utf8)) != nil)
  }

  private static func isHandshake(_ result: AttemptResult) -> Bool {
    if case .failed(.handshake) = result { return true }
    return false
  }

  @Test func anyCertificateIsGoodUnlessVerified() async throws {
    let certificate = try Certificate()
    defer { certificate.remove() }
    let plain = try await Self.result(certificate, Self.kind())
    #expect(plain.result == .well() && !plain.namesServer)
    let verified = try await Self.result(certificate, Self.kind { $0.verifies = true })
    #expect(Self.isHandshake(verified.result), "\(verified.result)")
    let known = try await Self.result(
      certificate,
      Self.kind {
        $0.verifies = true
        $0.authorityFile = certificate.certificate
      })
    #expect(known.result == .well())
  }

  @Test func theNameIsSentAndVerified() async throws {
    let certificate = try Certificate()
    defer { certificate.remove() }
    for (name, isGood) in [("web.example", true), ("other.web.example", false)] {
      let (result, namesServer) = try await Self.result(
        certificate,
        Self.kind {
          $0.sendsServerName = true
          $0.serverName = name
          $0.verifies = true
          $0.authorityFile = certificate.certificate
        })
      #expect(namesServer)
      #expect(isGood ? result == .well() : Self.isHandshake(result), "\(name): \(result)")
    }
  }

  @Test func aPageHasItsOwnName() async throws {
    let certificate = try Certificate()
    defer { certificate.remove() }
    guard case .http(var check) = Self.kind({ $0.sendsServerName = true }) else { return }
    check.pages[0].virtualHost = "web.example:8443"
    let (result, namesServer) = try await Self.result(certificate, .http(check))
    #expect(result == .well() && namesServer)
  }

  @Test func clientsMayHaveACertificate() async throws {
    let certificate = try Certificate()
    defer { certificate.remove() }
    let kind = Self.kind {
      $0.certificateFile = certificate.certificate
      $0.keyFile = certificate.key
    }
    #expect(try await Self.result(certificate, kind).result == .well())
    let missing = try await Self.result(certificate, Self.kind { $0.keyFile = "/none/such" }).result
    guard case .notRun(.definition) = missing else {
      Issue.record("\(missing)")
      return
    }
  }

  @Test func whatIsNoTLS() async throws {
    let mail = try await ScriptedServer([.send(Array("220 mail\r\n".utf8))])
    let result = await Attempts.one(Self.kind(), at: mail.endpoint)
    #expect(Self.isHandshake(result), "\(result)")
    try await mail.stop()
    let closing = try await ScriptedServer([.close])
    let closed = await Attempts.one(Self.kind(), at: closing.endpoint)
    // A reset when the hello has come before the close.
    #expect(Self.isHandshake(closed) || closed == .failed(.read(ECONNRESET)), "\(closed)")
    try await closing.stop()
    let silent = try await ScriptedServer([])
    let none = await Attempts.one(Self.kind(), at: silent.endpoint, within: .seconds(1))
    #expect(none == .failed(.handshake("no answer in time")))
    try await silent.stop()
  }
}
