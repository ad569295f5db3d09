import Config
import Dataplane
import Kernel
import Wire

/// `lbd why` without a running lbd: what a configuration would do in a network, with no connection there yet.
public enum OfflineWhy {
  /// Answers a question about packets.
  /// - Parameters:
  ///   - topology: a file of `ip` lines; nil: this host's network as it is.
  /// - Returns: what is to be printed.
  public static func answer(
    _ question: WhyQuestion, _ configuration: Configuration, topology path: String?
  ) throws -> String {
    let replay = try Replay(connections: Limits.connections.least)
    if let path {
      replay.use(try TopologyFile.read(path), links: nil)
    } else {
      let topology = try NetworkWatcher().topology
      var services = VirtualServices()
      try services.load(configuration)
      let options = Director.Options(configuration: ConfigurationFile(path: ""))
      replay.use(topology, links: try Director.links(options, configuration, services, topology).map(\.index))
    }
    try replay.apply(configuration)
    return try replay.answer(to: .why(question))
  }
}
