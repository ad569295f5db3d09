import Foundation
import NIOSSL

/// A certificate that nobody but itself has signed, for `web.example`, made by the openssl command.
struct Certificate {
  static let openssl = ["/usr/bin/openssl", "/usr/local/bin/openssl"].first(
    where: FileManager.default.isExecutableFile(atPath:))

  let directory: URL
  var certificate: String { directory.appendingPathComponent("cert.pem").path }
  var key: String { directory.appendingPathComponent("key.pem").path }

  init() throws {
    directory = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: Certificate.openssl ?? "/usr/bin/openssl")
    process.arguments = [
      "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj",
      "/CN=web.example", "-addext", "subjectAltName=DNS:web.example", "-keyout", key, "-out", certificate,
    ]
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else { throw CocoaError(.executableLoad) }
  }

  func remove() { try? FileManager.default.removeItem(at: directory) }

  func serverContext() throws -> NIOSSLContext {
    let chain = try NIOSSLCertificate.fromPEMFile(certificate).map { NIOSSLCertificateSource.certificate($0) }
    return try NIOSSLContext(
      configuration: .makeServerConfiguration(
        certificateChain: chain, privateKey: .privateKey(NIOSSLPrivateKey(file: key, format: .pem))))
  }
}
