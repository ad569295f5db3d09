import Testing
import Wire

@testable import Lab

struct PlanRow: Sendable, CustomTestStringConvertible {
  let mode: LabMode
  let isTwoArmed: Bool

  var testDescription: String { "\(mode.rawValue), \(isTwoArmed ? "two" : "one")-armed" }
  var plan: LabPlan { LabPlan(mode: mode, isTwoArmed: isTwoArmed, prefix: "t-") }

  static let all = LabMode.allCases.flatMap { mode in
    [PlanRow(mode: mode, isTwoArmed: false), PlanRow(mode: mode, isTwoArmed: true)]
  }
}

@Suite struct LabTopologyTests {
  /// The namespace a command works in.
  private func namespace(_ command: [String]) -> String? {
    if let flag = command.firstIndex(of: "-n") { return command[flag + 1] }
    return command.starts(with: ["ip", "netns", "exec"]) ? command[3] : nil
  }

  @Test(arguments: PlanRow.all) func namespacesExistBeforeUse(_ row: PlanRow) {
    var known: Set<String> = []
    for command in LabTopology(plan: row.plan).commands {
      if command.starts(with: ["ip", "netns", "add"]) { known.insert(command[3]) }
      if let name = namespace(command) { #expect(known.contains(name), "\(command)") }
      if let peer = command.firstIndex(of: "netns"), peer > 1, command[peer + 1].hasPrefix("t-") {
        #expect(known.contains(command[peer + 1]), "\(command)")
      }
    }
    #expect(known == Set(row.plan.namespaces))
  }

  @Test(arguments: PlanRow.all) func everyNamespaceIsRemovable(_ row: PlanRow) {
    let removable = Set(LabPlan.roles.map { row.plan.prefix + $0 })
    #expect(removable.isSuperset(of: row.plan.namespaces))
  }

  @Test(arguments: PlanRow.all) func addressesAreUnique(_ row: PlanRow) {
    let added = LabTopology(plan: row.plan).commands.filter { $0.contains("address") && $0.contains("add") }
    let addresses = added.compactMap { $0.first { $0.contains("/") } }
    #expect(Set(addresses).count == addresses.count)
    for address in addresses { #expect(IPPrefix(address) != nil, "\(address)") }
  }

  @Test(arguments: PlanRow.all) func theDirectorGetsFinishedChecksums(_ row: PlanRow) {
    let commands = LabTopology(plan: row.plan).commands
    for port in row.plan.directorSwitchPorts {
      let setting = commands.first { $0.contains("ethtool") && $0.contains(port) }
      #expect(setting?.suffix(from: 4).starts(with: ["ethtool", "-K", port, "tx", "off"]) == true)
      #expect(setting?.contains("txvlan") == (row.mode == .fullnatVLAN))
    }
  }

  @Test(arguments: PlanRow.all) func onlyTunnelsAreWide(_ row: PlanRow) {
    let widths = LabTopology(plan: row.plan).commands.filter { $0.contains("mtu") && $0.contains("master") }
    #expect(widths.first { $0.contains("client") }?.contains("1500") == true)
    #expect(widths.contains { $0.contains("1600") } == (row.mode == .tun))
  }

  @Test(arguments: PlanRow.all) func serversOfFullNATKnowNoWayToTheClient(_ row: PlanRow) {
    guard row.mode.usesLocalAddresses, !row.plan.hasRouter else { return }
    let commands = LabTopology(plan: row.plan).commands
    for server in row.plan.servers {
      let routes = commands.filter { namespace($0) == server && $0.contains("route") }
      #expect(routes.allSatisfy { !$0.contains("default") } && routes.count == 2)
    }
  }

  @Test func vlanRefusesUntaggedFrames() {
    let trunk = VLANTrunk(plan: LabPlan(mode: .fullnatVLAN, prefix: "t-"))
    #expect(trunk.filter.contains("device \"rs1\" priority 0; policy drop;\n    vlan id 100 accept\n  }\n"))
    let commands = trunk.commands(executable: "/x/lbd").map { $0.joined(separator: " ") }
    #expect(commands.contains("ip netns exec t-switch /x/lbd lab port access --interface rs2 --vlan 100"))
    #expect(
      commands.contains(
        "ip netns exec t-director /x/lbd lab port trunk --interface eth0 --vlan 100 --prefix 10.0.2.0/24 "
          + "--prefix fd00:2::0/64"))
    #expect(
      commands.contains(
        "ip -n t-rs1 neighbour replace fd00:2::2 lladdr 02:00:00:00:01:02 dev eth0 nud permanent"))
  }

  struct PrefixRow: Sendable, CustomTestStringConvertible {
    let prefix: String
    let isValid: Bool
    var testDescription: String { "\"\(prefix)\"" }
  }

  @Test(arguments: [
    PrefixRow(prefix: "lbd-", isValid: true), PrefixRow(prefix: "ci7", isValid: true),
    PrefixRow(prefix: "", isValid: false), PrefixRow(prefix: "-x", isValid: false),
    PrefixRow(prefix: "../", isValid: false), PrefixRow(prefix: "a b", isValid: false),
    PrefixRow(prefix: "X-", isValid: false), PrefixRow(prefix: "abcdefghijklmnopqrstu", isValid: false),
  ])
  func prefixesAreNames(_ row: PrefixRow) {
    #expect(LabPlan.isValid(prefix: row.prefix) == row.isValid)
  }
}
