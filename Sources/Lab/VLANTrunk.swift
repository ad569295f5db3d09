import Wire

/// VLAN 100 between the director and the servers, on kernels without the 8021q module.
///
/// The servers' switch ports are access ports: tc programs put the tag on what the server sends and take it off what
/// it gets, and nftables drops what comes untagged, so that a director that forgets the tag reaches nobody. The
/// director's port is the trunk: `txvlan off` at the switch makes the tag part of the frame, where XDP sees it.
/// The director's own kernel knows no VLAN either; a program on its way out tags what goes to the servers' subnet
/// (frames sent by AF_XDP and AF_PACKET do not pass there), one on its way in takes the tag off. Neighbours are static,
/// as broadcasts would have to be tagged on one side only.
struct VLANTrunk {
  let plan: LabPlan

  /// Commands after those of the topology; `executable` is run inside the namespaces.
  func commands(executable: String) -> [[String]] {
    let vlan = ["--vlan", "\(LabPlan.vlan)"]
    let access = plan.servers.indices.map { index in
      inside(plan.ethernetSwitch, [executable, "lab", "port", "access", "--interface", "rs\(index + 1)"] + vlan)
    }
    let filter = inside(plan.ethernetSwitch, ["nft", "-f", filterPath])
    let prefixes = LabPlan.families.flatMap { family in
      ["--prefix", "\(LabPlan.back("0", family))/\(LabPlan.subnetLength(family))"]
    }
    let trunk = inside(
      plan.director,
      [executable, "lab", "port", "trunk", "--interface", plan.directorBackPort] + vlan + prefixes)
    return access + [filter, trunk] + neighbours
  }

  var filterPath: String { "\(plan.folder)/access.nft" }

  /// What an access port refuses to send on. The closing braces stand on lines of their own for old nft versions.
  var filter: String {
    let chains = plan.servers.indices.map { index in
      """
        chain rs\(index + 1) {
          type filter hook egress device "rs\(index + 1)" priority 0; policy drop;
          vlan id \(LabPlan.vlan) accept
        }
      """
    }
    return "table netdev access {\n" + chains.joined(separator: "\n") + "\n}\n"
  }

  private var neighbours: [[String]] {
    LabPlan.families.flatMap { family in
      plan.servers.enumerated().flatMap { index, server in
        [
          neighbour(
            plan.director, plan.serverAddress(index, family), LabPlan.ethernet(side: 3, host: "\(index + 1)"),
            plan.directorBackPort),
          neighbour(
            server, LabPlan.back(LabPlan.directorHost, family),
            LabPlan.ethernet(side: plan.isTwoArmed ? 2 : 1, host: LabPlan.directorHost), "eth0"),
        ]
      }
    }
  }

  private func neighbour(_ owner: String, _ address: String, _ ethernet: String, _ link: String) -> [String] {
    ["ip", "-n", owner, "neighbour", "replace", address, "lladdr", ethernet, "dev", link, "nud", "permanent"]
  }

  private func inside(_ namespace: String, _ command: [String]) -> [String] {
    ["ip", "netns", "exec", namespace] + command
  }
}
