// What is explained beside the model's own blocks: the `lbd` block and groups of local addresses.

/// How one value of the `lbd` block is explained.
struct ExplainedKey: Sendable {
  let name: String
  /// As it would be written.
  let value: @Sendable (LbdSettings) -> String

  init(_ name: String, value: @escaping @Sendable (LbdSettings) -> String) {
    self.name = name
    self.value = value
  }
}

enum ExplainedKeys {
  static let settings: [ExplainedKey] = [
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

extension ConfigurationReading {
  /// Every value that is in force, with its origin.
  public var explanation: Explanation {
    let written = WrittenLines(self)
    var sections = configuration.explained.map { Explanation.Section($0, written) }
    sections.insert(ownSection(written), at: min(1, sections.count))
    let groups = configuration.localAddressGroups.map { group in
      let origin = group.position.map { Explanation.Origin.line($0, hasFinding: false, others: 0) } ?? .standard
      return Explanation.Section(
        title: "local_address_group \(group.name)", position: group.position,
        rows: group.addresses.prefix(64).map { Explanation.Row(key: "\($0)", value: "", origin: origin) })
    }
    sections.insert(contentsOf: groups, at: min(2, sections.count))
    return Explanation(sections: sections)
  }

  /// The `lbd` block. Of several the last line counts, whichever it is in.
  private func ownSection(_ written: WrittenLines) -> Explanation.Section {
    let blocks = root.directives.filter { $0.keyword == "lbd" && $0.block != nil }.map(\.position)
    func origin(_ fits: (Directive) -> Bool) -> Explanation.Origin {
      blocks.compactMap { written.origin(in: $0, where: fits) }.last ?? .standard
    }
    var rows = ExplainedKeys.settings.map { key in
      Explanation.Row(
        key: key.name, value: key.value(configuration.settings), origin: origin { $0.keyword == key.name })
    }
    for (setting, value) in configuration.settings.ipvs.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      rows.append(
        Explanation.Row(
          key: "sysctl \(IPVSSetting.prefix)\(setting.rawValue)", value: "\(value)",
          origin: origin { $0.keyword == "sysctl" && $0.names(setting) }))
    }
    return Explanation.Section(title: "lbd", position: blocks.last, rows: rows)
  }
}

extension Explanation.Section {
  /// A block of the model, with what is known of its lines.
  init(_ block: ExplainedBlock, _ written: WrittenLines) {
    title = block.title
    position = block.position
    rows = block.settings.map { setting in
      let origin = setting.origin.map { written.origin(of: $0, in: block.position) } ?? .standard
      return Explanation.Row(key: setting.key, value: setting.value, origin: origin)
    }
    sections = block.blocks.map { Explanation.Section($0, written) }
  }
}
