import Wire

// The `lbd` block, which keepalived does not have, and `lvs_timeouts` of `global_defs`.

extension LbdSettings {
  /// Takes one directive of the block.
  mutating func read(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    switch directive.keyword {
    case "connections":
      let range = Defaults.connectionCapacityRange
      connectionCapacity = directive.integer(in: range, "a table capacity", &diagnostics) ?? connectionCapacity
    case "workers":
      workerCount = directive.integer(in: 1...Defaults.workerCountMax, "a worker count", &diagnostics) ?? workerCount
    case "interface":
      guard directive.argument(0, "an interface's name", &diagnostics) != nil else { return }
      guard interfaceNames.count + directive.arguments.count <= Defaults.interfaceNamesMax else {
        return diagnostics.error(
          at: directive.position, "more than \(Defaults.interfaceNamesMax) interfaces", remedy: "use fewer")
      }
      for word in directive.arguments { readInterface(word, &diagnostics) }
    case "port":
      guard let word = directive.argument(0, "auto, xdp or packet", &diagnostics) else { return }
      guard let kind = PortKind(rawValue: word.text) else {
        diagnostics.error(
          at: word.position, "\(quoted(word.text)) is not a kind of port", remedy: "write auto, xdp or packet")
        return
      }
      portKind = kind
    case "local_ports": readLocalPorts(directive, &diagnostics)
    case "tunnel_fragments":
      guard let word = directive.argument(0, "inside or outside", &diagnostics) else { return }
      guard word.text == "inside" || word.text == "outside" else {
        diagnostics.error(
          at: word.position, "\(quoted(word.text)) is not a place to cut packets for tunnels",
          remedy: "write inside or outside")
        return
      }
      cutsInsideTunnels = word.text == "inside"
    case "sysctl": readSetting(directive, &diagnostics)
    case "helper": readHelper(directive, &diagnostics)
    case "web": readWeb(directive, &diagnostics)
    default: break
    }
  }

  /// `web [ADDRESS] PORT`: the address is that of loopback where none is given.
  private mutating func readWeb(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    guard let first = directive.argument(0, "[ADDRESS] PORT", &diagnostics) else { return }
    var address = IPAddress(v4: 0x7f00_0001)
    if directive.arguments.count > 1 {
      guard let given = IPAddress(first.text) else {
        return diagnostics.error(
          at: first.position, "\(quoted(first.text)) is not an address", remedy: "write [ADDRESS] PORT")
      }
      address = given
    }
    let index = directive.arguments.count > 1 ? 1 : 0
    guard let port = directive.integer(index, in: 1...65535, "a port", &diagnostics) else { return }
    web = Endpoint(address: address, port: UInt16(port))
  }

  private mutating func readInterface(_ word: Word, _ diagnostics: inout DiagnosticList) {
    guard isInterfaceName(word.text) else {
      diagnostics.error(
        at: word.position, "\(quoted(word.text)) is not an interface's name", remedy: "names have 1 to 15 bytes")
      return
    }
    if !interfaceNames.contains(word.text) { interfaceNames.append(word.text) }
  }

  /// `sysctl NAME VALUE`; `sysctl -w NAME=VALUE` as on the command line is the same.
  private mutating func readSetting(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    var words = directive.arguments.filter { $0.text != "-w" }
    guard let first = words.first else {
      diagnostics.error(at: directive.position, "'sysctl' needs a name and a value", remedy: "write NAME VALUE")
      return
    }
    words.removeFirst()
    var values = words.map(\.text)
    var name = first.text
    if let sign = name.firstIndex(of: "=") {
      values.insert(String(name[name.index(after: sign)...]), at: 0)
      name = String(name[..<sign])
    } else if values.first == "=" {
      values.removeFirst()
    }
    // Only one setting has a value of several words; one that is missing is a value that does not fit.
    let value = values.joined(separator: " ")
    switch ICMPSetting.parse(name: name, value: value) {
    case .success(let parsed): return icmp[parsed.setting] = parsed.value
    case .failure(let failure):
      return diagnostics.error(at: first.position, failure.message, remedy: failure.remedy)
    case nil: break
    }
    switch IPVSSetting.parse(name: name, value: value) {
    case .success(let parsed): ipvs[parsed.setting] = parsed.value
    case .failure(let failure):
      diagnostics.error(at: first.position, failure.message, remedy: failure.remedy)
    }
  }

  /// `helper ftp [ports N …]`; each line sets all of it.
  private mutating func readHelper(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    guard let name = directive.argument(0, "a protocol's name", &diagnostics) else { return }
    guard name.text == "ftp" else {
      return diagnostics.error(at: name.position, "there is no helper for \(quoted(name.text))", remedy: "write ftp")
    }
    guard directive.words.count > 2 else { return ftpPorts = [Defaults.ftpPort] }
    let word = directive.words[2]
    guard word.text == "ports" else {
      return diagnostics.error(
        at: word.position, "\(quoted(word.text)) is not an option of the helper", remedy: "write 'ports 21 2121'")
    }
    var ports: [UInt16] = []
    for index in 2...max(2, directive.words.count - 2) {
      guard let port = directive.integer(index, in: 1...65535, "a port", &diagnostics) else { return }
      if !ports.contains(UInt16(port)) { ports.append(UInt16(port)) }
      guard ports.count <= Defaults.ftpPortCountMax else { break }
    }
    guard ports.count <= Defaults.ftpPortCountMax else {
      return diagnostics.error(
        at: word.position, "\(ports.count) ports are too many",
        remedy: "write \(Defaults.ftpPortCountMax) at most, as ip_vs_ftp takes")
    }
    ftpPorts = ports
  }

  private mutating func readLocalPorts(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    guard let word = directive.argument(0, "FIRST-LAST", &diagnostics) else { return }
    let ends = word.text.split(separator: "-", omittingEmptySubsequences: false).map { decimal(String($0)) ?? 0 }
    guard ends.count == 2, ends[0] >= 1, ends[0] <= ends[1], ends[1] <= 65535 else {
      diagnostics.error(
        at: word.position, "\(quoted(word.text)) is not a range of ports",
        remedy: "write FIRST-LAST, such as 1024-65535")
      return
    }
    localPorts = UInt16(ends[0])...UInt16(ends[1])
  }
}

extension ConnectionTimeouts {
  /// Takes `lvs_timeouts [tcp S] [tcpfin S] [udp S]`; 0 leaves a value as it is.
  mutating func read(_ directive: Directive, _ diagnostics: inout DiagnosticList) {
    guard directive.argument(0, "'tcp S', 'tcpfin S' or 'udp S'", &diagnostics) != nil else { return }
    var index = 0
    while index + 1 < directive.words.count {
      let word = directive.words[index + 1]
      guard ["tcp", "tcpfin", "udp"].contains(word.text) else {
        diagnostics.error(
          at: word.position, "\(quoted(word.text)) is not a timeout's name", remedy: "write tcp, tcpfin or udp")
        return
      }
      let range = 0...Defaults.timeoutSecondsMax
      guard let seconds = directive.integer(index + 1, in: range, "a time in seconds", &diagnostics) else { return }
      index += 2
      guard seconds > 0 else { continue }
      switch word.text {
      case "tcp": tcpSeconds = seconds
      case "tcpfin": tcpFinSeconds = seconds
      default: udpSeconds = seconds
      }
    }
  }
}

/// What the kernel takes as the name of an interface.
func isInterfaceName(_ text: String) -> Bool {
  (1...15).contains(text.utf8.count) && text != "." && text != ".."
    && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: ":") }
}
