import Wire

/// The network of a plan as a list of commands, in order; building it is running them.
///
/// Two bridges at most live in the `switch` namespace; every other namespace hangs on them by a veth whose outer end
/// carries its owner's name. All links are born inside the namespaces, so the host sees nothing but the names.
///
/// What a veth lab must do that hardware need not:
/// - checksums: a veth sender leaves them unfinished, and a frame taken by AF_XDP or AF_PACKET goes on as it is. The
///   switch therefore finishes them (and cuts segments) on the ports that face the director: `tx off`;
/// - VLAN tags travel beside the frame until `txvlan off` puts them into it;
/// - frames sent by XDP_REDIRECT reach a veth only if its other end runs NAPI: `gro on` at the director's switch ports;
/// - DAD would hold back every IPv6 address for a second, multicast snooping the neighbour solicitations.
struct LabTopology {
  let plan: LabPlan

  var commands: [[String]] {
    namespaces + bridges + links + offloads + addresses + routes
  }

  // MARK: Namespaces

  private var namespaces: [[String]] {
    plan.namespaces.flatMap { name in
      [
        ["ip", "netns", "add", name],
        inside(name, ["sysctl", "-q", "-w"] + settings(of: name)),
        ip(name, "link set lo up"),
      ]
    }
  }

  private func settings(of name: String) -> [String] {
    var settings = [
      "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
      "net.ipv4.conf.all.send_redirects=0", "net.ipv4.conf.default.send_redirects=0",
      "net.ipv6.conf.all.disable_ipv6=0", "net.ipv6.conf.default.disable_ipv6=0",
      "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0",
      "net.ipv6.conf.all.accept_ra=0", "net.ipv6.conf.default.accept_ra=0",
    ]
    if name == plan.client {
      settings += ["net.ipv4.ip_local_port_range=10000 65000", "net.ipv4.tcp_tw_reuse=1"]
    }
    let forwards = name == plan.router || (name == plan.director && plan.directorForwards)
    settings += ["net.ipv4.ip_forward=\(forwards ? 1 : 0)"]
    if forwards { settings += ["net.ipv6.conf.all.forwarding=1"] }
    if name == plan.director && plan.directorForwards {
      // The servers' answers come from the VIP, which is this machine's own address.
      settings += ["net.ipv4.conf.all.accept_local=1", "net.ipv4.conf.default.accept_local=1"]
    }
    return settings
  }

  // MARK: Bridges and links

  private var bridges: [[String]] {
    (plan.hasBackBridge ? ["front", "back"] : ["front"]).flatMap { bridge in
      [
        ip(
          plan.ethernetSwitch,
          "link add \(bridge) type bridge stp_state 0 forward_delay 0 mcast_snooping 0"),
        ip(plan.ethernetSwitch, "link set \(bridge) mtu \(plan.mtu) up"),
      ]
    }
  }

  private var links: [[String]] {
    var all =
      link(plan.client, "eth0", port: "client", bridge: "front", side: 1, host: LabPlan.clientHost, mtu: 1500)
      + link(plan.director, "eth0", port: "director", bridge: "front", side: 1, host: LabPlan.directorHost)
    if plan.isTwoArmed {
      all += link(plan.director, "eth1", port: "director2", bridge: "back", side: 2, host: LabPlan.directorHost)
    }
    if plan.hasRouter {
      all += link(plan.router, "eth0", port: "router", bridge: "front", side: 1, host: LabPlan.routerHost)
      all += link(plan.router, "eth1", port: "router2", bridge: "back", side: 2, host: LabPlan.routerHost)
    }
    for (index, server) in plan.servers.enumerated() {
      all += link(
        server, "eth0", port: "rs\(index + 1)", bridge: plan.hasBackBridge ? "back" : "front", side: 3,
        host: "\(index + 1)")
    }
    return all
  }

  private func link(
    _ owner: String, _ name: String, port: String, bridge: String, side: Int, host: String, mtu: Int? = nil
  ) -> [[String]] {
    let mtu = mtu ?? plan.mtu
    let queues = owner == plan.director ? plan.queueCount : 1
    let count = "numrxqueues \(queues) numtxqueues \(queues)"
    let address = LabPlan.ethernet(side: side, host: host)
    return [
      ip(plan.ethernetSwitch, "link add \(port) \(count) type veth peer name \(name) \(count) netns \(owner)"),
      ip(plan.ethernetSwitch, "link set \(port) mtu \(mtu) master \(bridge) up"),
      ip(owner, "link set \(name) address \(address) mtu \(mtu) up"),
    ]
  }

  private var offloads: [[String]] {
    plan.directorSwitchPorts.map { port in
      let trunk = plan.mode == .fullnatVLAN ? ["txvlan", "off"] : []
      return inside(plan.ethernetSwitch, ["ethtool", "-K", port, "tx", "off", "gro", "on"] + trunk)
    }
  }

  // MARK: Addresses

  private var addresses: [[String]] {
    var all: [[String]] = []
    for family in LabPlan.families {
      let length = LabPlan.subnetLength(family)
      all += [
        add(plan.client, LabPlan.front(LabPlan.clientHost, family), length, "eth0"),
        add(plan.director, LabPlan.front(LabPlan.directorHost, family), length, "eth0"),
        add(plan.director, LabPlan.vip(family), LabPlan.hostLength(family), "eth0"),
      ]
      if plan.directorFacesServers {
        all.append(add(plan.director, LabPlan.back(LabPlan.directorHost, family), length, plan.directorBackPort))
      }
      if plan.mode.usesLocalAddresses {
        all += (1...LabPlan.localAddressCount).map {
          add(plan.director, LabPlan.local($0, family), LabPlan.hostLength(family), plan.directorBackPort)
        }
      }
      if plan.hasRouter {
        all.append(add(plan.router, LabPlan.front(LabPlan.routerHost, family), length, "eth0"))
        all.append(add(plan.router, LabPlan.back(LabPlan.routerHost, family), length, "eth1"))
      }
      for (index, server) in plan.servers.enumerated() {
        all.append(add(server, plan.serverAddress(index, family), length, "eth0"))
      }
    }
    return all
  }

  private func add(_ owner: String, _ address: String, _ length: Int, _ link: String) -> [String] {
    let noDAD = address.contains(":") ? " nodad" : ""
    return ip(owner, "address add \(address)/\(length) dev \(link)\(noDAD)")
  }

  // MARK: Routes

  private var routes: [[String]] {
    LabPlan.families.flatMap { family -> [[String]] in
      let vip = "\(LabPlan.vip(family))/\(LabPlan.hostLength(family))"
      // The VIP is on the client's wire: whoever answers ARP for it gets the traffic.
      var all = [route(plan.client, family, "\(vip) dev eth0")]
      if plan.services.hasLocalServer, plan.mtu > LabPlan.clientMTU {
        // What the director answers itself must fit the client's link too.
        let client = "\(LabPlan.front(LabPlan.clientHost, family))/\(LabPlan.hostLength(family))"
        all.append(route(plan.director, family, "\(client) dev eth0 mtu \(LabPlan.clientMTU)"))
      }
      if plan.hasRouter {
        let router = LabPlan.front(LabPlan.routerHost, family)
        let back = family == .ipv4 ? "10.0.2.0/24" : "fd00:2::/64"
        all.append(route(plan.director, family, "\(back) via \(router)"))
        if plan.mode.usesLocalAddresses {
          let director = LabPlan.front(LabPlan.directorHost, family)
          all.append(route(plan.router, family, "\(LabPlan.localPrefix(family)) via \(director)"))
        }
      }
      for server in plan.servers {
        if let back = serverRoute(family) { all.append(route(server, family, back)) }
      }
      return all
    }
  }

  /// The servers' way back, or nil when the client is a neighbour.
  private func serverRoute(_ family: IPAddress.Family) -> String? {
    if plan.isFlat { return nil }
    let gateway = LabPlan.back(plan.hasRouter ? LabPlan.routerHost : LabPlan.directorHost, family)
    // Answers must fit the client's link; only the way to the servers is wider.
    if plan.hasRouter || !plan.mode.usesLocalAddresses { return "default via \(gateway) mtu 1500" }
    return "\(LabPlan.localPrefix(family)) via \(gateway)"
  }

  private func route(_ owner: String, _ family: IPAddress.Family, _ route: String) -> [String] {
    ["ip", family == .ipv4 ? "-4" : "-6", "-n", owner, "route", "add"] + words(route)
  }

  // MARK: Spelling

  private func ip(_ namespace: String, _ rest: String) -> [String] { ["ip", "-n", namespace] + words(rest) }

  private func words(_ text: String) -> [String] { text.split(separator: " ").map(String.init) }

  private func inside(_ namespace: String, _ command: [String]) -> [String] {
    ["ip", "netns", "exec", namespace] + command
  }
}
