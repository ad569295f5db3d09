import ArgumentParser
import Control
import Wire

/// `lbd genhash`, lbd under the name genhash, and `keepalived --genhash`: the digest of a page for a configuration.
struct GenhashCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "genhash",
    abstract: "Print the digest of a page, for `digest` of HTTP_GET and SSL_GET.",
    discussion: """
      As keepalived's genhash, whose options it has. The page is asked for and read as checks do it. A page of any \
      status has a digest: look at it with --verbose.
      """)

  @Option(name: [.customShort("s"), .customLong("server")], help: "Address of the server.")
  var server: String
  @Option(name: [.customShort("p"), .customLong("port")], help: "Its port (default: 80, with --use-ssl 443).")
  var port: UInt16?
  @Option(name: [.customShort("u"), .customLong("url")], help: "Path of the page.")
  var path: String
  @Flag(name: [.customShort("S"), .customLong("use-ssl")], help: "Over TLS.")
  var usesTLS = false
  @Flag(name: [.customShort("I"), .customLong("use-sni")], help: "Name the virtual host in TLS's hello.")
  var sendsServerName = false
  @Option(name: [.customShort("V"), .customLong("use-virtualhost")], help: "The host asked for.")
  var virtualHost: String?
  @Option(name: [.customShort("m"), .customLong("fwmark")], help: "A firewall mark for the request's packets.")
  var mark: UInt32 = 0
  @Option(name: [.customShort("P"), .customLong("protocol")], help: "1.0, 1.0c (asks to close) or 1.1.")
  var version = PageDigest.Version.http10
  @Option(
    name: [.customShort("t"), .customLong("timeout")],
    help: "Seconds for the connection, and for each piece of the answer.")
  var seconds: UInt16 = 5
  @Flag(name: [.customShort("v"), .customLong("verbose")], help: "Print the whole answer, too.")
  var isVerbose = false

  func validate() throws {
    guard IPAddress(server) != nil else { throw ValidationError("'\(server)' is not an IP address") }
    guard seconds > 0 else { throw ValidationError("a timeout is at least 1 second") }
    guard !sendsServerName || virtualHost != nil else { throw ValidationError("--use-sni needs --use-virtualhost") }
  }

  func run() throws {
    try reportingErrors {
      guard let address = IPAddress(server) else { return }
      let endpoint = Endpoint(address: address, port: port ?? (usesTLS ? 443 : 80))
      var digest = PageDigest(of: path, at: endpoint)
      digest.virtualHost = virtualHost
      digest.version = version
      digest.usesTLS = usesTLS
      digest.sendsServerName = sendsServerName
      digest.mark = mark
      digest.timeout = .seconds(Int(seconds))
      digest.isVerbose = isVerbose
      do {
        print(try digest.text(), terminator: "")
      } catch {
        throw CommandFailure("cannot get \(path) from \(endpoint): \(PageDigest.reason(of: error))")
      }
    }
  }

  /// The words that are genhash's, or nil when this is not its part.
  static func words(of arguments: [String]) -> [String]? {
    arguments.first?.split(separator: "/").last == "genhash" ? Array(arguments.dropFirst()) : nil
  }
}

extension PageDigest.Version: ExpressibleByArgument {
  /// `1.0C` is what a configuration says.
  public init?(argument: String) { self.init(rawValue: argument.lowercased()) }
}
