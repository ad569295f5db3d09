import Config
import Wire

/// Rules of ip_vs as a keepalived.conf: one command to move over.
public struct ServiceImport: Sendable {
  /// The file's text.
  public let text: String
  /// What could not be taken over, a line each.
  public let notes: [String]

  /// From what `ipvsadm -Sn` prints. Every line must be understood: half of somebody's rules is worse than none.
  public init(ipvsadmSave bytes: [UInt8], name: String) throws {
    var administration = Administration()
    for (number, words) in IpvsadmBatch(bytes).enumerated() {
      do {
        try administration.change(try IpvsadmCommand.parse(words).get(), topology: Topology())
      } catch {
        throw ImportRefused(
          description:
            "\(name): command \(number + 1), '\(words.prefix(12).joined(separator: " ").prefix(200))': \(error)"
            + " (make the file with ipvsadm -Sn; names of hosts and ports are not looked up)")
      }
    }
    let model = administration.services
    var localAddresses: [ServiceKey: [IPAddress]] = [:]
    let services = model.services.values.filter(\.isActive).sorted { $0.number < $1.number }.map { service in
      var spec = service.spec
      spec.realServers = service.servers.reversed().compactMap { number in
        guard let server = model.servers[number] else { return nil }
        var copy = server.spec
        copy.methodOverride = server.method
        return copy
      }
      localAddresses[spec.key] = service.localAddresses.filter(\.isActive).map(\.address)
      return spec
    }
    self.init(services, administration.timeouts, localAddresses)
  }

  /// From the kernel's table, `/proc/net/ip_vs`.
  public init(kernelTable bytes: [UInt8], name: String) throws {
    switch KernelServiceTable.parse(bytes) {
    case .success(let services): self.init(services, ConnectionTimeouts(), [:])
    case .failure(let failure): throw ImportRefused(description: "\(name): \(failure)")
    }
  }

  private init(
    _ services: [VirtualService], _ timeouts: ConnectionTimeouts, _ localAddresses: [ServiceKey: [IPAddress]]
  ) {
    text = KeepalivedText.text(services, timeouts: timeouts, localAddresses: localAddresses)
    notes = services.filter(\.realServers.isEmpty).map {
      "\($0.key) has no real servers and is left out: in keepalived.conf a service has some"
    }
  }
}

/// Rules that cannot be taken over.
struct ImportRefused: Error, CustomStringConvertible {
  let description: String
}
