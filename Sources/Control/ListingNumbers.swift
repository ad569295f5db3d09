import Config
import Dataplane
import Wire

/// The forms of `ipvsadm -L` that show counters, rates, thresholds, templates and tunnels.
extension Listing {
  /// Packet and byte counts: `ipvsadm -Ln --stats`, numbers in full as with `--exact` or shortened.
  public func statistics(isExact: Bool = true) -> String {
    var text = banner() + "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n"
    text += "  -> RemoteAddress:Port\n"
    let sums = services.counters { dataplane.counters(ofServer: $0) }
    for service in listed {
      text += title(of: service, width: 33)
      text += numbers(Listing.list(sums.services[service.number] ?? ServerCounters()), isExact: isExact) + "\n"
      for server in servers(of: service) {
        text += "  -> " + column(server, of: service)
        text += numbers(Listing.list(sums.servers[server.number] ?? ServerCounters()), isExact: isExact) + "\n"
      }
    }
    return text
  }

  private static func list(_ counters: ServerCounters) -> [UInt64] {
    [counters.connections, counters.inPackets, counters.outPackets, counters.inBytes, counters.outBytes]
  }

  /// `ipvsadm -Ln --rate`; nil where nobody estimates rates.
  func rateText(isExact: Bool) -> String? {
    guard let rates else { return nil }
    var text = banner() + "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n"
    text += "  -> RemoteAddress:Port\n"
    for service in listed {
      text += title(of: service, width: 33)
      text += numbers(Listing.list(rates.rates(ofService: service.number)), isExact: isExact) + "\n"
      for server in servers(of: service) {
        let list = Listing.list(rates.rates(ofServer: server.number))
        // Servers' connections and packets are never shortened; ipvsadm does so only with their bytes.
        text += "  -> " + column(server, of: service) + numbers(Array(list[..<3]), isExact: true)
        text += numbers(Array(list[3...]), isExact: isExact) + "\n"
      }
    }
    return text
  }

  private static func list(_ rates: ServerRates) -> [UInt64] {
    [rates.connections, rates.inPackets, rates.outPackets, rates.inBytes, rates.outBytes]
  }

  private func numbers(_ numbers: [UInt64], isExact: Bool) -> String {
    numbers.map { number in
      let digits = isExact ? "\(number)" : Listing.shortened(number)
      // Even a long number is one blank away from the one before it.
      return digits.utf8.count < 9 ? String(repeating: " ", count: 9 - digits.utf8.count) + digits : " " + digits
    }.joined()
  }

  /// At most eight digits and a letter.
  static func shortened(_ number: UInt64) -> String {
    switch number {
    case ..<100_000_000: "\(number)"
    case ..<1_000_000_000: "\(number / 1000)K"
    case ..<100_000_000_000: "\(number / 1_000_000)M"
    case ..<100_000_000_000_000: "\(number / 1_000_000_000)G"
    default: "\(number / 1_000_000_000_000)T"
    }
  }

  /// `ipvsadm -Ln --thresholds`
  func thresholds() -> String {
    table(
      head: "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n  -> RemoteAddress:Port\n"
    ) { server, counts in
      pad("\(server.spec.upperThreshold)", 10) + " " + pad("\(server.spec.lowerThreshold)", 10) + " "
        + pad("\(counts.active)", 10) + " " + pad("\(counts.inactive)", 10)
    }
  }

  /// `ipvsadm -Ln --persistent-conn`
  func persistence() -> String {
    table(
      head: "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n  -> RemoteAddress:Port\n"
    ) { server, counts in
      pad("\(server.spec.weight)", 9) + " " + pad("\(persistentConnections(of: server))", 11) + " "
        + pad("\(counts.active)", 10) + " " + pad("\(counts.inactive)", 10)
    }
  }

  /// `ipvsadm -Ln --tun-info`
  func tunnels() -> String {
    table(
      head: "Prot LocalAddress:Port Scheduler Flags\n"
        + "  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn\n"
    ) { server, counts in
      pad(forward(server.method), 7) + " " + pad(Listing.tunnelText(server.method), 13) + " "
        + pad("\(server.spec.weight)", 6) + " " + pad("\(counts.active)", 10) + " " + pad("\(counts.inactive)", 10)
    }
  }

  private static func tunnelText(_ method: ForwardingMethod) -> String {
    guard case .tunnelling(let tunnel) = method else { return "n/a" }
    let checksum =
      switch tunnel.checksum {
      case .none: "-c"
      case .csum: "+c"
      case .remcsum: "r+c"
      }
    return switch tunnel.kind {
    case .ipip: "ipip"
    case .gue(let port): "gue:\(port):\(checksum)"
    case .gre: "gre:\(checksum)"
    }
  }
}
