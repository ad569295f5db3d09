import Config
import Wire

/// A service as a reload compares it: what commands can say of it, and the little that only a configuration says.
struct ServicePicture: Equatable {
  /// A real server of it.
  struct Server: Equatable {
    var spec: ServerSpec
    var own = OwnSettings()
  }

  /// What no command of ipvsadm says of a server.
  struct OwnSettings: Equatable {
    var vlan: UInt16?
    var drainSeconds: Int?
  }

  var spec: ServiceSpec
  /// In the order in which they are added.
  var servers: [Server] = []
  /// Of FULLNAT.
  var localAddresses: [IPAddress] = []
  var conveyance = ClientConveyance.none

  /// A running service.
  init(_ service: VirtualServices.Service, of services: VirtualServices) {
    spec = ServiceSpec(service)
    servers = service.servers.reversed().compactMap { services.servers[$0] }.map {
      Server(spec: ServerSpec($0), own: OwnSettings($0.spec))
    }
    localAddresses = service.localAddresses.filter(\.isActive).map(\.address)
    conveyance = service.spec.clientConveyance
  }

  /// A configured one with the servers that serve.
  /// - Parameter groups: local addresses by the names of their groups.
  init(serving: VirtualService, groups: [String: [IPAddress]]) {
    spec = ServiceSpec(serving)
    servers = serving.realServers.map {
      Server(spec: ServerSpec($0, method: serving.forwardingMethod(to: $0)), own: OwnSettings($0))
    }
    // Servers of the other family are sent to from addresses of theirs.
    let fullNAT = servers.filter { $0.spec.method == .fullNAT }
    let families = fullNAT.isEmpty ? [spec.key.family] : Set(fullNAT.map(\.spec.endpoint.address.family))
    let addresses = serving.localAddressGroup.flatMap { groups[$0] } ?? []
    localAddresses = addresses.filter { families.contains($0.family) }
    conveyance = serving.clientConveyance
  }

  /// Local addresses by the names of their groups.
  static func localAddresses(of configuration: Configuration) -> [String: [IPAddress]] {
    Dictionary(
      configuration.localAddressGroups.map { ($0.name, $0.addresses) }, uniquingKeysWith: { first, _ in first })
  }
}

extension ServicePicture.OwnSettings {
  fileprivate init(_ spec: RealServer) { self.init(vlan: spec.vlan, drainSeconds: spec.drainSeconds) }
}
