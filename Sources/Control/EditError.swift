import Config
import Dataplane
import Scheduler

/// Why an edit was refused, in the words of `ipvsadm`.
public enum EditError: Error, Equatable, CustomStringConvertible {
  case serviceExists
  case noService
  case serviceNotDefined
  case serverExists
  case noServer
  case noScheduler(String)
  case noEngine(String)
  case refused(IpvsadmError)
  case tooMany
  case localAddressExists
  case noLocalAddress
  case tooManyLocalAddresses

  /// The message.
  public var description: String {
    switch self {
    case .serviceExists: "Service already exists"
    case .noService: "No such service"
    case .serviceNotDefined: "Service not defined"
    case .serverExists: "Destination already exists"
    case .noServer: "No such destination"
    case .noScheduler(let name):
      "Scheduler or persistence engine not found: \(name) (this version has "
        + Scheduler.allCases.map(\.name).joined(separator: ", ") + ")"
    case .noEngine(let name):
      "Scheduler or persistence engine not found: \(name) (this version has "
        + Defaults.persistenceEngineNames.joined(separator: ", ") + ")"
    case .refused(let error): error.message
    case .localAddressExists: "Local address already exists"
    case .noLocalAddress: "No such local address"
    case .tooManyLocalAddresses: "too many local addresses (\(Limits.localAddressCapacity) at most for a service)"
    case .tooMany: "too many services and real servers (65535 at most, deleted ones with connections included)"
    }
  }

  /// What ipvsadm prints, to the letter.
  public var answer: IpvsadmError {
    switch self {
    case .noScheduler, .noEngine: IpvsadmError("Scheduler or persistence engine not found", exitCode: 255)
    case .refused(let error): error
    default: IpvsadmError(description, exitCode: 255)
    }
  }
}
