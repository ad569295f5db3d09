import Config
import Dataplane
import Wire

/// `ipvsadm -L` in its several forms, to the byte.
public struct Listing {
  let services: VirtualServices
  let dataplane: Dataplane

  private static let banner = "IP Virtual Server version 1.2.1 (size=4096)\n"

  /// Services with their servers: `ipvsadm -Ln`.
  public func services(banner: Bool = true) -> String {
    var text = banner ? Listing.banner : ""
    text += "Prot LocalAddress:Port Scheduler Flags\n"
    text += "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n"
    for service in services.listed {
      text += title(of: service) + " \(service.scheduler.name)\(flags(of: service))\n"
      for server in servers(of: service) {
        let counts = dataplane.connections(ofServer: server.number)
        text += "  -> " + pad("\(server.spec.endpoint)", 28) + " " + pad(forward(server.method), 7) + " "
        text += pad("\(server.spec.weight)", 6) + " " + pad("\(counts.active)", 10) + " "
        text += pad("\(counts.inactive)", 10) + "\n"
      }
    }
    return text
  }

  /// Connections: `ipvsadm -Lnc`. In no particular order.
  public func connections(nowNanoseconds: UInt64, limit: Int = .max) -> String {
    var text = "IPVS connection entries\n"
    text += "pro expire state       source             virtual            destination\n"
    var count = 0
    dataplane.forEachConnection(atNanoseconds: nowNanoseconds) { connection in
      count += 1
      guard count <= limit else { return }
      let minutes = connection.secondsLeft / 60
      let seconds = connection.secondsLeft % 60
      let expire = (minutes < 10 ? "0" : "") + "\(minutes):" + (seconds < 10 ? "0" : "") + "\(seconds)"
      text += pad(connection.transport.name, 3) + " " + pad(expire, 6) + " " + pad(connection.stateName, 11) + " "
      text += pad("\(connection.client)", 18) + " " + pad("\(connection.service)", 18) + " \(connection.server)"
      if let local = connection.local { text += " local \(local)" }
      text += "\n"
    }
    if count > limit { text += "… and \(count - limit) more\n" }
    return text
  }

  /// Packet and byte counts: `ipvsadm -Ln --stats --exact`.
  public func statistics() -> String {
    var text = Listing.banner
    text += "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n"
    text += "  -> RemoteAddress:Port\n"
    for service in services.listed {
      var sum = service.retired
      var lines = ""
      for server in services.servers.values where server.service == service.number {
        sum.add(dataplane.counters(ofServer: server.number))
      }
      for server in servers(of: service) {
        lines += "  -> " + pad("\(server.spec.endpoint)", 28)
        lines += numbers(dataplane.counters(ofServer: server.number))
      }
      text += pad(title(of: service), 33) + numbers(sum) + lines
    }
    return text
  }

  private func numbers(_ counters: ServerCounters) -> String {
    let all = [
      counters.connections, counters.inPackets, counters.outPackets, counters.inBytes, counters.outBytes,
    ]
    return all.map { number in
      let digits = "\(number)"
      return " " + String(repeating: " ", count: max(0, 8 - digits.count)) + digits
    }.joined() + "\n"
  }

  private func servers(of service: VirtualServices.Service) -> [VirtualServices.Server] {
    ListingOrder.sorted(service.servers.compactMap { services.servers[$0] })
  }

  private func title(of service: VirtualServices.Service) -> String {
    switch service.spec.key {
    case .address(let transport, let endpoint): "\(pad(transport.name, 4)) \(endpoint)"
    case .mark(let mark, let family): "FWM  \(mark)" + (family == .ipv6 ? " IPv6" : "")
    }
  }

  private func flags(of service: VirtualServices.Service) -> String {
    var names: [String] = []
    let flags = service.spec.schedulerFlags
    let isHashing = service.scheduler == .sourceHashing || service.scheduler == .maglevHashing
    let prefix = service.scheduler.name
    if flags.contains(.flag1) { names.append(isHashing ? "\(prefix)-fallback" : "flag-1") }
    if flags.contains(.flag2) { names.append(isHashing ? "\(prefix)-port" : "flag-2") }
    if flags.contains(.flag3) { names.append("flag-3") }
    return names.isEmpty ? "" : " (\(names.joined(separator: ",")))"
  }

  private func forward(_ method: ForwardingMethod) -> String {
    switch method {
    case .directRouting: "Route"
    case .masquerading: "Masq"
    case .tunnelling: "Tunnel"
    case .fullNAT: "FullNat"
    }
  }

  private func pad(_ text: String, _ width: Int) -> String {
    let missing = width - text.utf8.count
    return missing > 0 ? text + String(repeating: " ", count: missing) : text
  }
}
