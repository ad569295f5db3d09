import NIOSSL
import Synchronization

/// TLS contexts by what is configured: making one reads files and takes milliseconds, so all checks of one kind share
/// one.
final class TLSContexts: Sendable {
  private struct Key: Hashable {
    var definition: TLSDefinition
    var checksName: Bool
  }

  private let contexts = Mutex<[Key: NIOSSLContext]>([:])

  /// Makes them anew when they are next needed: files may have changed.
  func forget() {
    contexts.withLock { $0 = [:] }
  }

  /// - Parameter checksName: a name is sent, which the server's certificate must then be for.
  func context(for definition: TLSDefinition, checksName: Bool) throws(CheckError) -> NIOSSLContext {
    let key = Key(definition: definition, checksName: checksName)
    if let known = contexts.withLock({ $0[key] }) { return known }
    do {
      let context = try NIOSSLContext(configuration: TLSContexts.configuration(definition, checksName))
      contexts.withLock { $0[key] = context }
      return context
    } catch {
      throw .definition("TLS cannot be set up: \(String("\(error)".prefix(200)))")
    }
  }

  private static func configuration(_ definition: TLSDefinition, _ checksName: Bool) throws -> TLSConfiguration {
    var configuration = TLSConfiguration.makeClientConfiguration()
    // A check is to find out whether a server works, not how modern it is.
    configuration.minimumTLSVersion = .tlsv1
    configuration.shutdownTimeout = .seconds(1)
    configuration.certificateVerification =
      definition.verifies ? (checksName ? .fullVerification : .noHostnameVerification) : .none
    if let file = definition.authorityFile { configuration.trustRoots = .file(file) }
    if let file = definition.certificateFile {
      configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(file).map { .certificate($0) }
    }
    if let file = definition.keyFile {
      let password = Array((definition.password ?? "").utf8)
      let key = try NIOSSLPrivateKey(file: file, format: .pem) { setter in setter(password) }
      configuration.privateKey = .privateKey(key)
    }
    return configuration
  }
}
