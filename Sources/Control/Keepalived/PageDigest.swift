import HealthCheck
import NIOPosix
import Wire

/// The digest of a page, as `digest` in a configuration wants it: genhash's task.
public struct PageDigest: Sendable {
  /// The version of the request.
  public enum Version: String, Sendable, CaseIterable {
    /// HTTP/1.0
    case http10 = "1.0"
    /// HTTP/1.0, asking that the connection be closed.
    case http10Close = "1.0c"
    /// HTTP/1.1
    case http11 = "1.1"
  }

  /// The server.
  public var server: Endpoint
  /// What stands in the request's first line.
  public var path: String
  /// The host asked for; nil is the server's address and port.
  public var virtualHost: String?
  /// The request's.
  public var version = Version.http10
  /// Over TLS.
  public var usesTLS = false
  /// The virtual host is named in TLS's hello.
  public var sendsServerName = false
  /// On the request's packets; 0 is none.
  public var mark: UInt32 = 0
  /// For the connection to be there, and again for every piece of the answer.
  public var timeout = Duration.seconds(5)
  /// The whole answer, too.
  public var isVerbose = false

  /// A page over plain text.
  public init(of path: String, at server: Endpoint) {
    self.path = path
    self.server = server
  }

  /// Asks for the page once.
  /// - Returns: what is to be printed.
  /// - Throws: a `CheckError`: no connection, no answer in time, no head.
  public func text() throws -> String {
    var target = CheckTarget(server)
    target.mark = mark
    var generator = GenHash(path: path, at: target)
    generator.virtualHost = virtualHost
    generator.timeout = timeout
    generator.keepsBody = isVerbose
    generator.version =
      switch version {
      case .http10: .http10
      case .http10Close: .http10Close
      case .http11: .http11
      }
    if usesTLS {
      var tls = TLSDefinition()
      tls.sendsServerName = sendsServerName
      generator.tls = tls
    }
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let page = try generator.fetch(on: loop).wait()
    return isVerbose ? page.dump : page.digest + "\n"
  }

  /// Why there is no page, in words.
  public static func reason(of error: any Error) -> String { (error as? CheckError)?.reason ?? "\(error)" }
}
