import Config
import Wire

/// Something that is to be told about a service's health: with the names that logs, mails and FIFOs use.
struct HealthChange: Sendable {
  /// What has happened.
  let change: ServiceState.Change
  /// `[10.0.0.100]:tcp:80`
  let serviceName: String
  /// Of the server in question; nil when it is about the service as a whole.
  let serverName: String?
  /// The service as configured; the first one of a group.
  let service: VirtualService
  /// The server in question.
  let server: RealServer?

  init(unit: Health.Unit, change: ServiceState.Change) {
    self.change = change
    serviceName = unit.name
    service = unit.first.service
    let index: Int? =
      switch change {
      case .serverUp(let server), .serverDown(let server), .weight(let server, _, _): server
      case .quorumGained, .quorumLost: nil
      }
    serverName = index.map { unit.serverNames[$0] }
    server = index.map { unit.first.service.realServers[$0] }
  }

  /// True for what people are woken by.
  var isBad: Bool {
    switch change {
    case .serverDown, .quorumLost: true
    case .serverUp, .weight, .quorumGained: false
    }
  }

  /// What the log says, in the words that people's tools look for.
  var lines: [String] {
    let inhibits = server?.monitoring.inhibitsOnFailure == true
    switch change {
    case .serverUp:
      return [
        inhibits
          ? "Enabling service \(serverName ?? "") of VS \(serviceName)"
          : "Adding service \(serverName ?? "") to VS \(serviceName)"
      ]
    case .serverDown:
      return [
        inhibits
          ? "Disabling service \(serverName ?? "") of VS \(serviceName)"
          : "Removing service \(serverName ?? "") from VS \(serviceName)"
      ]
    case .weight(_, let from, let to):
      return ["Changing weight from \(from) to \(to) for active service \(serverName ?? "") of VS \(serviceName)"]
    case .quorumGained(let weight):
      return [quorumText("Gained", "+", "<=", weight)]
        + sorryLines("Removing sorry server", "from", "Adding alive servers to the pool")
    case .quorumLost(let weight):
      return [quorumText("Lost", "-", ">", weight)]
        + sorryLines("Adding sorry server", "to", "Removing alive servers from the pool")
    }
  }

  private func quorumText(_ verb: String, _ sign: String, _ relation: String, _ weight: Int) -> String {
    let (quorum, hysteresis) = (service.monitoring.quorum, service.monitoring.hysteresis)
    let threshold = sign == "+" ? quorum + hysteresis : quorum - hysteresis
    return "\(verb) quorum \(quorum)\(sign)\(hysteresis)=\(threshold) \(relation) \(weight) for VS \(serviceName)"
  }

  private func sorryLines(_ verb: String, _ preposition: String, _ pool: String) -> [String] {
    guard let sorry = service.sorryServer else { return [] }
    return [
      "\(verb) \(service.monitoredName(of: sorry)) \(preposition) VS \(serviceName)", "\(pool) for VS \(serviceName)",
    ]
  }
}
