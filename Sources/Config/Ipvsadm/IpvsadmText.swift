import Wire

// Commands as ipvsadm's lines: what `ipvsadm -R` reads. Values stand in full, defaults included where ipvsadm -S has them.

extension IpvsadmCommand {
  /// The words behind `ipvsadm`; nil for what is no change of rules.
  public var line: String? {
    switch self {
    case .addService(let spec): "-A \(spec.text)"
    case .editService(let spec): "-E \(spec.text)"
    case .deleteService(let key): "-D \(key.option)"
    case .addServer(let key, let spec): "-a \(key.option) \(spec.text)"
    case .editServer(let key, let spec): "-e \(key.option) \(spec.text)"
    case .deleteServer(let key, let endpoint): "-d \(key.option) -r \(endpoint)"
    case .addLocalAddress(let key, let address, let interface):
      "--add-laddr \(key.option) -z \(address)" + (interface.map { " -F \($0)" } ?? "")
    case .deleteLocalAddress(let key, let address): "--del-laddr \(key.option) -z \(address)"
    case .setTimeouts(let tcp, let tcpFin, let udp): "--set \(tcp) \(tcpFin) \(udp)"
    case .clear: "-C"
    case .zero, .list, .save, .restore, .startDaemon, .stopDaemon, .listLocalAddresses, .help, .version: nil
    }
  }
}

extension ServiceKey {
  /// `-t 10.0.0.1:80`.
  public var option: String {
    switch self {
    case .address(.tcp, let endpoint): "-t \(endpoint)"
    case .address(.udp, let endpoint): "-u \(endpoint)"
    case .address(.sctp, let endpoint): "--sctp-service \(endpoint)"
    case .mark(let mark, let family): "-f \(mark)" + (family == .ipv6 ? " -6" : "")
    }
  }
}

extension ServiceSpec {
  /// The options that say all of it.
  public var text: String {
    var text = "\(key.option) -s \(schedulerName)"
    if let seconds = persistenceSeconds {
      text += " -p \(seconds)"
      if let mask = maskText { text += " -M \(mask)" }
      if let engine = persistenceEngine { text += " --pe \(engine)" }
    }
    if onePacket { text += " -o" }
    let flags = flagNames
    return flags.isEmpty ? text : text + " -b \(flags.joined(separator: ","))"
  }

  /// Of persistence, where it is not the widest.
  public var maskText: String? {
    guard persistenceMask != .full(key.family) else { return nil }
    switch persistenceMask {
    case .ipv4(let mask): return "\(IPAddress(v4: mask))"
    case .ipv6(let length): return "\(length)"
    }
  }

  /// The schedulers that have names for their flags use them.
  public var flagNames: [String] {
    var names: [String] = []
    let isHashing = schedulerName == "sh" || schedulerName == "mh"
    if schedulerFlags.contains(.flag1) { names.append(isHashing ? "\(schedulerName)-fallback" : "flag-1") }
    if schedulerFlags.contains(.flag2) { names.append(isHashing ? "\(schedulerName)-port" : "flag-2") }
    if schedulerFlags.contains(.flag3) { names.append("flag-3") }
    return names
  }
}

extension ServerSpec {
  /// The options that say all of it.
  public var text: String {
    var text = "-r \(endpoint) \(method.option) -w \(weight)"
    if upperThreshold > 0 { text += " -x \(upperThreshold)" }
    if lowerThreshold > 0 { text += " -y \(lowerThreshold)" }
    return text + method.tunnelOptions
  }
}

extension ForwardingMethod {
  fileprivate var option: String {
    switch self {
    case .directRouting: "-g"
    case .masquerading: "-m"
    case .fullNAT: "-b"
    case .tunnelling: "-i"
    }
  }

  fileprivate var tunnelOptions: String {
    guard case .tunnelling(let tunnel) = self else { return "" }
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
