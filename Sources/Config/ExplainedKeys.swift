// What is explained of each kind of block: a line for each property of the model.

/// How one property of a model is explained.
struct ExplainedKey<Model>: Sendable {
  /// The keyword, and others that mean the same.
  let names: [String]
  /// A word that has to stand behind the keyword, where the keyword serves several properties.
  let word: String?
  /// True when a line of the enclosing block is taken where there is none.
  let isInherited: Bool
  /// The value as it would be written; nil when there is nothing to say.
  let value: @Sendable (Model) -> String?

  init(
    _ names: String..., word: String? = nil, isInherited: Bool = false, value: @escaping @Sendable (Model) -> String?
  ) {
    self.names = names
    self.word = word
    self.isInherited = isInherited
    self.value = value
  }

  func fits(_ directive: Directive) -> Bool {
    names.contains(directive.keyword) && (word == nil || directive.arguments.contains { $0.text == word })
  }

  func row(_ model: Model, block: Position?, outer: Position?, _ written: WrittenLines) -> Explanation.Row? {
    guard let value = value(model) else { return nil }
    var origin = written.origin(in: block, where: fits)
    if origin == nil, isInherited, case .line(let position, _, _)? = written.origin(in: outer, where: fits) {
      origin = .inherited(position)
    }
    let key = word.map { "\(names[0]) \($0)" } ?? names[0]
    return Explanation.Row(key: key, value: value, origin: origin ?? .standard)
  }
}

enum ExplainedKeys {
  static let service: [ExplainedKey<VirtualService>] = [
    ExplainedKey("protocol") { service in
      if case .address(let transport, _) = service.key { return transport.name }
      return nil
    },
    ExplainedKey("lb_algo", "lvs_sched") { $0.schedulerName },
    ExplainedKey("flag-1", "sh-fallback", "mh-fallback") { $0.schedulerFlags.contains(.flag1) ? "" : nil },
    ExplainedKey("flag-2", "sh-port", "mh-port") { $0.schedulerFlags.contains(.flag2) ? "" : nil },
    ExplainedKey("flag-3") { $0.schedulerFlags.contains(.flag3) ? "" : nil },
    ExplainedKey("lb_kind", "lvs_method") { $0.forwardingMethod.written },
    ExplainedKey("persistence_timeout") { "\($0.persistenceSeconds ?? 0)" },
    ExplainedKey("persistence_granularity") { $0.persistenceSeconds == nil ? nil : "\($0.persistenceMask)" },
    ExplainedKey("persistence_engine") { $0.persistenceEngine },
    ExplainedKey("ops") { $0.onePacket ? "" : nil },
    ExplainedKey("laddr_group_name") { $0.localAddressGroup },
    ExplainedKey("toa") { $0.clientConveyance == .toa ? "" : nil },
    ExplainedKey("proxy_protocol") {
      $0.clientConveyance == .none || $0.clientConveyance == .toa
        ? nil : String($0.clientConveyance.directive.drop { $0 != " " }.dropFirst())
    },
    ExplainedKey("sorry_server") { $0.sorryServer.map { "\($0.address) \($0.port)" } },
  ]

  static let realServer: [ExplainedKey<(service: VirtualService, server: RealServer)>] = [
    ExplainedKey("weight", isInherited: true) { "\($0.server.weight)" },
    ExplainedKey("lvs_method", "lb_kind", isInherited: true) { $0.service.forwardingMethod(to: $0.server).written },
    ExplainedKey("uthreshold") { "\($0.server.upperThreshold)" },
    ExplainedKey("lthreshold") { "\($0.server.lowerThreshold)" },
    ExplainedKey("vlan", isInherited: true) { $0.server.vlan.map { "\($0)" } },
  ]

  static let timeouts: [ExplainedKey<ConnectionTimeouts>] = [
    ExplainedKey("lvs_timeouts", word: "tcp") { "\($0.tcpSeconds)" },
    ExplainedKey("lvs_timeouts", word: "tcpfin") { "\($0.tcpFinSeconds)" },
    ExplainedKey("lvs_timeouts", word: "udp") { "\($0.udpSeconds)" },
  ]

  static let settings: [ExplainedKey<LbdSettings>] = [
    ExplainedKey("connections") { "\($0.connectionCapacity)" },
    ExplainedKey("workers") { $0.workerCount.map { "\($0)" } ?? "(one for each allowed core)" },
    ExplainedKey("interface") {
      $0.interfaceNames.isEmpty ? "(those that routes lead over)" : $0.interfaceNames.joined(separator: " ")
    },
    ExplainedKey("port") { $0.portKind.rawValue },
    ExplainedKey("local_ports") { "\($0.localPorts.lowerBound)-\($0.localPorts.upperBound)" },
  ]
}

extension Directive {
  /// True for `sysctl` with the name of a setting, with or without its prefix.
  fileprivate func names(_ setting: IPVSSetting) -> Bool {
    arguments.contains { word in
      let name = word.text.prefix { $0 != "=" }
      return name.split(whereSeparator: { $0 == "." || $0 == "/" }).last.map(String.init) == setting.rawValue
    }
  }
}

extension ForwardingMethod {
  /// As it is written behind `lb_kind`.
  fileprivate var written: String {
    guard case .tunnelling(let tunnel) = self else { return name }
    let kind: String
    switch tunnel.kind {
    case .ipip: kind = ""
    case .gre: kind = " type gre"
    case .gue(let port): kind = " type gue port \(port)"
    }
    switch tunnel.checksum {
    case .none: return name + kind
    case .csum: return name + kind + " csum"
    case .remcsum: return name + kind + " remcsum"
    }
  }
}

extension ConfigurationReading {
  /// Every value that is in force, with its origin.
  public var explanation: Explanation {
    let written = WrittenLines(self)
    // Of several blocks of a kind the last counts for most; each line is looked for in all of them.
    let globals = root.directives.filter { $0.keyword == "global_defs" && $0.block != nil }.map(\.position)
    let own = root.directives.filter { $0.keyword == "lbd" && $0.block != nil }.map(\.position)
    var sections = [
      section("global_defs", configuration.timeouts, globals, ExplainedKeys.timeouts, written),
      section("lbd", configuration.settings, own, ExplainedKeys.settings, written),
    ]
    sections[1].rows += configuration.settings.ipvs.sorted { $0.key.rawValue < $1.key.rawValue }.map { setting, value in
      let name = IPVSSetting.prefix + setting.rawValue
      let origin = own.compactMap { block in
        written.origin(in: block) { $0.keyword == "sysctl" && $0.names(setting) }
      }.last
      return Explanation.Row(key: "sysctl \(name)", value: "\(value)", origin: origin ?? .standard)
    }
    for group in configuration.localAddressGroups {
      let rows = group.addresses.prefix(64).map { address in
        Explanation.Row(
          key: "\(address)", value: "",
          origin: group.position.map { .line($0, hasFinding: false, others: 0) } ?? .standard)
      }
      sections.append(
        Explanation.Section(title: "local_address_group \(group.name)", position: group.position, rows: rows))
    }
    sections += configuration.services.map { explain($0, written) }
    return Explanation(sections: sections)
  }

  private func section<Model>(
    _ title: String, _ model: Model, _ blocks: [Position], _ keys: [ExplainedKey<Model>], _ written: WrittenLines
  ) -> Explanation.Section {
    let rows = keys.compactMap { key -> Explanation.Row? in
      let found = blocks.compactMap { block in
        written.origin(in: block, where: key.fits).flatMap { _ in key.row(model, block: block, outer: nil, written) }
      }
      return found.last ?? key.row(model, block: nil, outer: nil, written)
    }
    return Explanation.Section(title: title, position: blocks.last, rows: rows)
  }

  private func explain(_ service: VirtualService, _ written: WrittenLines) -> Explanation.Section {
    let title: String
    switch service.key {
    case .address(_, let endpoint): title = "virtual_server \(endpoint.address) \(endpoint.port)"
    case .mark(let mark, _): title = "virtual_server fwmark \(mark)"
    }
    var section = Explanation.Section(
      title: title, position: service.position,
      rows: ExplainedKeys.service.compactMap { $0.row(service, block: service.position, outer: nil, written) })
    section.sections = service.realServers.map { server in
      Explanation.Section(
        title: "real_server \(server.endpoint.address) \(server.endpoint.port)", position: server.position,
        rows: ExplainedKeys.realServer.compactMap {
          $0.row((service, server), block: server.position, outer: service.position, written)
        })
    }
    return section
  }
}
