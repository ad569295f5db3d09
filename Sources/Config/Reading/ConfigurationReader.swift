// keepalived.conf to the model.
//
// bytes -> lines -> logical lines -> tree -> lines without values, review of keywords -> blocks -> services. Every step reports and goes on, so
// that one reading finds all there is to find. The text may come from anywhere: nothing here reads files.

import Wire

/// What came of reading a configuration.
public struct ConfigurationReading: Sendable {
  /// What could be understood. It is not to be used when any finding is an error.
  public let configuration: Configuration
  /// In the order of the text.
  public let diagnostics: [Diagnostic]
  /// What was written, for explanations.
  let root: Block

  /// The worst severity of all findings.
  public var worst: Diagnostic.Severity? { diagnostics.map(\.severity).max() }
}

/// Reads the text of a configuration file that includes no others.
///
/// Nothing is thrown: the result holds what could be understood. It is not to be used when any finding is an error.
/// - Parameter file: the file's name, for the findings.
public func parseConfiguration(bytes: [UInt8], file: String) -> (Configuration, [Diagnostic]) {
  let text = ConfigurationText(bytes: bytes, identity: file)
  let reading = readConfiguration(text, file: file, ReadingOptions(), NoFiles())
  return (reading.configuration, reading.diagnostics)
}

/// Reads a configuration file with those it includes.
public func readConfiguration(
  _ text: ConfigurationText, file: String, _ options: ReadingOptions, _ files: any ConfigurationFiles
) -> ConfigurationReading {
  readConfiguration(text, file: file, options, files, limits: ReadingLimits())
}

func readConfiguration(
  _ text: ConfigurationText, file: String, _ options: ReadingOptions, _ files: any ConfigurationFiles,
  limits: ReadingLimits
) -> ConfigurationReading {
  var lines = LineReader(options, files, limits: limits)
  lines.read(text, file: file)
  lines.finish()
  var diagnostics = lines.diagnostics

  var parser = Parser(lines: lines.lexer.lines)
  var required = RequiredValues()
  let root = required.checked(parser.parse())
  diagnostics.add(contentsOf: parser.diagnostics)
  diagnostics.add(contentsOf: required.diagnostics)
  for finding in KeywordReview.findings(in: root) { diagnostics.add(finding) }

  var reader = ConfigurationReader(diagnostics: diagnostics)
  reader.read(root)
  return ConfigurationReading(
    configuration: reader.configuration, diagnostics: reader.diagnostics.sorted(), root: root)
}

/// Takes the top-level blocks of a tree into a configuration.
struct ConfigurationReader {
  private(set) var configuration = Configuration()
  private(set) var diagnostics: DiagnosticList
  private var addressBudget = Defaults.addressesInGroupsMax
  private var groups: [String: VirtualServerGroup] = [:]
  private var localFamilies: [String: Set<IPAddress.Family>] = [:]

  init(diagnostics: DiagnosticList) { self.diagnostics = diagnostics }

  /// Groups first, because services refer to them whatever the order of the text.
  mutating func read(_ root: Block) {
    let directives = root.directives.filter { !$0.words[0].isQuoted && $0.block != nil }
    for directive in directives {
      switch directive.keyword {
      case "virtual_server_group": readServerGroup(directive)
      case "local_address_group": readLocalGroup(directive)
      case "global_defs": readGlobals(directive)
      case "lbd":
        for inner in directive.block?.directives ?? [] {
          if inner.keyword == "mark_rules" {
            configuration.readMarkRules(inner.block, &diagnostics)
          } else {
            configuration.settings.read(inner, &diagnostics)
          }
        }
      default: break
      }
    }
    configuration.readGlobals(root, &diagnostics)
    configuration.process.read(root, &diagnostics)
    var vrrp = VRRPReader(globals: configuration.globals)
    vrrp.read(root, &diagnostics)
    configuration.vrrp = vrrp.vrrp
    var rules = ServiceRules(groups: groups, globals: configuration.globals)
    for directive in directives where directive.keyword == "virtual_server" {
      guard let block = VirtualServerBlock(directive, &diagnostics) else { continue }
      rules.add(block, &diagnostics)
    }
    configuration.services = rules.services
    configuration.vrrp = VRRPRules.checked(
      configuration.vrrp, configuration.globals, configuration.services, &diagnostics)
    for service in configuration.services {
      checkLocalAddresses(of: service)
      checkHelper(of: service)
    }
  }

  private mutating func readGlobals(_ directive: Directive) {
    for inner in directive.block?.directives ?? [] where inner.keyword == "lvs_timeouts" {
      configuration.timeouts.read(inner, &diagnostics)
      configuration.globals.origins.note("lvs_timeouts", at: inner.position)
    }
  }

  private mutating func readServerGroup(_ directive: Directive) {
    guard let name = directive.argument(0, "a name", &diagnostics) else { return }
    guard groups[name.text] == nil else {
      diagnostics.error(
        at: name.position, "there is a virtual_server_group \(quoted(name.text)) already", remedy: "rename one")
      return
    }
    groups[name.text] = VirtualServerGroup(directive, budget: &addressBudget, &diagnostics)
  }

  private mutating func readLocalGroup(_ directive: Directive) {
    if directive.words.count > 1, localFamilies[directive.words[1].text] != nil {
      let name = directive.words[1]
      diagnostics.error(
        at: name.position, "there is a local_address_group \(quoted(name.text)) already", remedy: "rename one")
      return
    }
    guard let group = LocalAddressGroup(directive, budget: &addressBudget, &diagnostics) else { return }
    localFamilies[group.name] = Set(group.addresses.map(\.family))
    configuration.localAddressGroups.append(group)
  }

  /// FTP through NAT works without its helper only while no data connection is wanted.
  private mutating func checkHelper(of service: VirtualService) {
    guard let position = service.position, case .address(.tcp, let endpoint) = service.key,
      endpoint.port == Defaults.ftpPort, !configuration.settings.ftpPorts.contains(Defaults.ftpPort),
      service.realServers.contains(where: { service.forwardingMethod(to: $0) == .masquerading })
    else { return }
    diagnostics.note(
      at: position, "FTP's data connections do not pass NAT without the helper",
      remedy: "add 'helper ftp' to the lbd block")
  }

  /// FULLNAT needs local addresses of the servers' family; other methods have no use for them.
  private mutating func checkLocalAddresses(of service: VirtualService) {
    guard let position = service.position else { return }
    var endpoints = service.realServers.filter { service.forwardingMethod(to: $0) == .fullNAT }.map(\.endpoint)
    if let sorry = service.sorryServer, service.sorryServerMethod == .fullNAT { endpoints.append(sorry) }
    let usesFullNAT = !endpoints.isEmpty
    guard let name = service.localAddressGroup else {
      if usesFullNAT {
        diagnostics.error(
          at: position, "FNAT needs local addresses", remedy: "add 'laddr_group_name NAME' and a local_address_group")
      }
      return
    }
    guard let families = localFamilies[name] else {
      diagnostics.error(
        at: position, "there is no local_address_group \(quoted(name))",
        remedy: "add 'local_address_group NAME { IP-N }'")
      return
    }
    guard usesFullNAT else {
      diagnostics.warning(
        at: position, "'laddr_group_name' has no effect, no real server uses FNAT", remedy: "write 'lb_kind FNAT'")
      return
    }
    for endpoint in endpoints where !families.contains(endpoint.address.family) {
      diagnostics.error(
        at: position, "local_address_group \(quoted(name)) has no address of the family of \(endpoint)",
        remedy: "add some")
      return
    }
  }
}
