import Config
import Wire

/// `ipvsadm -Sn`: the commands that make these services again. In two things it says more than ipvsadm, so that nothing is
/// lost on the way through `ipvsadm -R`: thresholds are among them, and marks above 2147483647 are not written as negative
/// numbers, which no command takes.
extension Listing {
  /// One `-A` line for each service and one `-a` line for each of its servers, in the order of listings.
  public func saved() -> String {
    var text = ""
    for service in listed {
      text += lines(of: service, servers(of: service))
    }
    return text
  }

  /// The same, but each list in the order it was made in: made again, it is the same list, and schedulers choose alike.
  func savedInOrder() -> String {
    var text = ""
    for service in services.services.values.filter(\.isActive).sorted(by: { $0.number < $1.number }) {
      text += lines(of: service, service.servers.reversed().compactMap { services.servers[$0] })
    }
    return text
  }

  private func lines(of service: VirtualServices.Service, _ servers: [VirtualServices.Server]) -> String {
    let name = Listing.option(for: service.spec.key)
    var text = "-A \(name) -s \(service.scheduler.name)" + options(of: service) + "\n"
    for local in service.localAddresses where local.isActive { text += "--add-laddr \(name) -z \(local.address)\n" }
    for server in servers {
      let spec = server.spec
      text += "-a \(name) -r \(spec.endpoint) \(Listing.option(for: server.method)) -w \(spec.weight)"
      if spec.upperThreshold > 0 { text += " -x \(spec.upperThreshold)" }
      if spec.lowerThreshold > 0 { text += " -y \(spec.lowerThreshold)" }
      text += Listing.tunnelOptions(server.method) + "\n"
    }
    return text
  }

  /// Local addresses of FULLNAT services, with the connections that use them.
  func localAddresses(of key: ServiceKey?) throws(IpvsadmError) -> String {
    var listing = self
    if let key {
      guard services.service(key) != nil else { throw IpvsadmError("No such service", exitCode: 1) }
      listing.only = key
    }
    var text = "VIP:VPORT            TOTAL    SNAT_IP\n"
    for service in listing.listed {
      let active = service.localAddresses.filter(\.isActive)
      guard key != nil || !active.isEmpty else { continue }
      text += pad(endpointText(of: service), 20) + " \(active.count)\n"
      for local in active { text += String(repeating: " ", count: 30) + "\(local.address)\n" }
    }
    return text
  }

  private func endpointText(of service: VirtualServices.Service) -> String {
    if case .address(_, let endpoint) = service.spec.key { return "\(endpoint)" }
    return "\(service.spec.key)"
  }

  private static func option(for key: ServiceKey) -> String {
    switch key {
    case .address(.tcp, let endpoint): "-t \(endpoint)"
    case .address(.udp, let endpoint): "-u \(endpoint)"
    case .address(.sctp, let endpoint): "--sctp-service \(endpoint)"
    case .mark(let mark, let family): "-f \(mark)" + (family == .ipv6 ? " -6" : "")
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

  private static func option(for method: ForwardingMethod) -> String {
    switch method {
    case .directRouting: "-g"
    case .masquerading: "-m"
    case .fullNAT: "-b"
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
