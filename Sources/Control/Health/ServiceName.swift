import Config
import Wire

// Names as keepalived's log, mail and FIFOs have them, which people's scripts look for.

extension VirtualService {
  /// `[10.0.0.100]:tcp:80`; `[GROUP]:80` for all services of a group, `FWM 5` for a mark.
  public var monitoredName: String {
    switch key {
    case .mark(let mark, _): "FWM \(mark)"
    case .address(let transport, let endpoint):
      groupName.map { "[\($0)]:\(endpoint.port)" } ?? endpoint.monitoredName(transport)
    }
  }

  /// `[10.0.0.1]:tcp:80`, in the service's protocol.
  public func monitoredName(of endpoint: Endpoint) -> String { endpoint.monitoredName(key.transport) }
}

extension Endpoint {
  fileprivate func monitoredName(_ transport: TransportProtocol?) -> String {
    "[\(address)]:\(transport?.name.lowercased() ?? "none"):\(port)"
  }
}
