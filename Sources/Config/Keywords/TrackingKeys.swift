import Wire

// `vrrp_script`, `track_file`, `vrrp_track_process`, `bfd_instance` and `garp_group` as tables.

enum TrackingKeys {
  static let script = KeyTable<TrackedScript>([
    .command("script", \.command),
    .time("interval", \.interval, .seconds(1)...Duration.longest),
    .time("timeout", \.timeout, .seconds(1)...Duration.longest),
    weight(-253...253, \.weight, \.isReversed),
    .integer("rise", \.rise, 1...Int(Int32.max)),
    .integer("fall", \.fall, 1...Int(Int32.max)),
    Key("user", "USER [GROUP]", show: \.user) { directive, script, diagnostics in
      guard let user = directive.text(0, "a user", &diagnostics) else { return false }
      script.user = user
      script.group = directive.words.count > 2 ? directive.words[2].text : nil
      return true
    },
    .presence("init_fail", \.failsAtFirst),
  ])

  static let file = KeyTable<TrackedFile>([
    .text("file", \.path, "PATH"),
    weight(-254...254, \.weight, \.isReversed),
    Key("init_file", "[VALUE] [overwrite]", show: { $0.initialValue.map(String.init) }) {
      directive, file, diagnostics in
      file.initialValue = 0
      for (index, word) in directive.arguments.enumerated() {
        if word.text == "overwrite" {
          file.overwrites = true
        } else if let value = directive.number(index, in: -Int(Int32.max)...Int(Int32.max), &diagnostics) {
          file.initialValue = value
        }
      }
      return true
    },
  ])

  static let process = KeyTable<TrackedProcess>([
    Key("process", "\"COMMAND\"", show: { $0.command.isEmpty ? nil : $0.command.joined(separator: " ") }) {
      directive, process, diagnostics in
      guard let command = ScriptCommand(directive, &diagnostics) else { return false }
      process.command = command.words + [command.user, command.group].compactMap(\.self)
      return true
    },
    .choice(
      "param_match", \.match, TrackedProcess.Match.allCases.map { ($0.rawValue, $0) }, show: { $0?.rawValue }),
    weight(-254...254, \.weight, \.isReversed),
    .integer("quorum", \.quorum, 1...65535),
    .integer("quorum_max", \.quorumMax, 0...65535),
    .time("fork_delay", \.forkDelay, .zero...Duration.longest),
    .time("terminate_delay", \.terminateDelay, .zero...Duration.longest),
    Key("delay", "0…4294 s", show: { _ in nil }) { directive, process, diagnostics in
      guard let delay = directive.time(in: .zero...Duration.longest, &diagnostics) else { return false }
      (process.forkDelay, process.terminateDelay) = (delay, delay)
      return true
    },
    .presence("full_command", \.matchesFullCommand),
  ])

  static let bfd = KeyTable<BFDInstance>([
    .address("neighbor_ip", \.neighbour), .address("neighbour_ip", \.neighbour), .address("source_ip", \.source),
    .integer("min_rx", \.minReceiveMilliseconds, 1...10000),
    .integer("min_tx", \.minTransmitMilliseconds, 1...10000),
    .integer("idle_tx", \.idleTransmitMilliseconds, 1000...10000),
    .integer("multiplier", \.multiplier, 1...255),
    .presence("passive", \.isPassive),
    .integer("ttl", \.timeToLive, 1...255),
    .integer("hoplimit", \.hopLimit, 1...255),
    .integer("max_hops", \.maxHops, -1...255),
    weight(-253...253, \.weight, \.isReversed),
    .presence("vrrp", \.isForVRRP), .presence("checker", \.isForCheckers),
  ])

  static let garpGroup = KeyTable<GARPGroup>([
    .time("garp_interval", \.arpInterval, .zero...Duration.longest),
    .time("gna_interval", \.neighbourInterval, .zero...Duration.longest),
    Key("interface", "INTERFACE", show: { _ in nil }) { directive, group, diagnostics in
      guard let name = directive.interfaceName(&diagnostics) else { return false }
      guard group.interfaces.count < Defaults.listedNamesMax else { return directive.reportTooMany(&diagnostics) }
      if !group.interfaces.contains(name) { group.interfaces.append(name) }
      return true
    },
    Key("interfaces", "{ INTERFACE … }", show: { listText($0.interfaces) }) { directive, group, diagnostics in
      for word in directive.listedWords(&diagnostics) where isInterfaceName(word.text) {
        guard group.interfaces.count < Defaults.listedNamesMax else { return directive.reportTooMany(&diagnostics) }
        if !group.interfaces.contains(word.text) { group.interfaces.append(word.text) }
      }
      return true
    },
  ])

  /// `N [reverse]`
  private static func weight<Model>(
    _ range: ClosedRange<Int>, _ path: Property<Model, Int>, _ reversed: Property<Model, Bool>
  ) -> Key<Model> {
    Key(
      "weight", rangeText(range) + " [reverse]",
      show: { "\($0[keyPath: path])" + ($0[keyPath: reversed] ? " reverse" : "") }
    ) { directive, model, diagnostics in
      guard let value = directive.number(in: range, &diagnostics) else { return false }
      model[keyPath: path] = value
      model[keyPath: reversed] = directive.words.dropFirst(2).first?.text == "reverse"
      return true
    }
  }
}

extension InterfaceDelay {
  /// `INTERFACE DOWN [UP]`
  init?(_ line: Directive, _ diagnostics: inout DiagnosticList) {
    guard isInterfaceName(line.keyword) else {
      diagnostics.warning(at: line.position, "\(quoted(line.keyword)) is not an interface's name, the line is left out")
      return nil
    }
    guard let down = line.time(in: .zero...Duration.seconds(255), &diagnostics) else { return nil }
    var up = down
    if line.words.count > 2 {
      guard let given = line.time(line.words[2], in: .zero...Duration.seconds(255), &diagnostics) else { return nil }
      up = given
    }
    self.init(interface: line.keyword, down: down, up: up)
  }
}
