import Config
import Wire

/// `ipvsadm -Sn`: the commands that make these services again. As with ipvsadm, thresholds and timeouts are not among them.
extension Listing {
  /// One `-A` line for each service and one `-a` line for each of its servers, in the order of listings.
  public func saved() -> String {
    var text = ""
    for service in listed {
      let name = Listing.option(for: service.spec.key)
      text += "-A \(name) -s \(service.scheduler.name)" + options(of: service) + "\n"
      for server in servers(of: service) {
        text += "-a \(name) -r \(server.spec.endpoint) \(Listing.option(for: server.method)) -w \(server.spec.weight)"
        text += Listing.tunnelOptions(server.method) + "\n"
      }
    }
    return text
  }

  private static func option(for key: ServiceKey) -> String {
    switch key {
    case .address(.tcp, let endpoint): "-t \(endpoint)"
    case .address(.udp, let endpoint): "-u \(endpoint)"
    case .address(.sctp, let endpoint): "--sctp-service \(endpoint)"
    case .mark(let mark, let family): "-f \(Int32(bitPattern: mark))" + (family == .ipv6 ? " -6" : "")
    }
  }

  private func options(of service: VirtualServices.Service) -> String {
    let spec = service.spec
    var text = ""
    if let seconds = spec.persistenceSeconds {
      text += " -p \(seconds)"
      if let mask = maskText(of: spec) { text += " -M \(mask)" }
      if let engine = spec.persistenceEngine { text += " --pe \(engine)" }
    }
    if spec.onePacket { text += " -o" }
    let flags = flagNames(of: service)
    return flags.isEmpty ? text : text + " -b \(flags.joined(separator: ","))"
  }

  /// FULLNAT has no option of ipvsadm's; it is saved as what comes nearest.
  private static func option(for method: ForwardingMethod) -> String {
    switch method {
    case .directRouting: "-g"
    case .masquerading, .fullNAT: "-m"
    case .tunnelling: "-i"
    }
  }

  private static func tunnelOptions(_ method: ForwardingMethod) -> String {
    guard case .tunnelling(let tunnel) = method else { return "" }
    let checksum =
      switch tunnel.checksum {
      case .none: " --tun-nocsum"
      case .csum: " --tun-csum"
      case .remcsum: " --tun-remcsum"
      }
    return switch tunnel.kind {
    case .ipip: " --tun-type ipip"
    case .gue(let port): " --tun-type gue --tun-port \(port)" + checksum
    case .gre: " --tun-type gre" + checksum
    }
  }
}
