import Wire

/// The files of a lab: what the director and the servers are told.
struct LabConfiguration {
  let plan: LabPlan

  /// keepalived.conf for the director: HTTP, a UDP echo and closed UDP ports, round robin, both families.
  var director: String {
    var text = "! \(plan.mode.rawValue): \(plan.mode.summary)\n"
    if plan.mode.usesLocalAddresses {
      for family in LabPlan.families {
        text += """

          local_address_group \(LabConfiguration.groupName(family)) {
            \(LabPlan.localRange(family))
          }

          """
      }
    }
    if plan.services == .mark { text += markRules }
    // The servers unpack, but put nothing together.
    if plan.mode.hasNarrowTunnel { text += "\nlbd {\n  tunnel_fragments inside\n}\n" }
    if plan.hasFTP { text += "\nlbd {\n  helper ftp\n}\n" }
    for family in LabPlan.families {
      text += service(family, port: LabPlan.httpPort, serverPort: plan.serverHTTPPort, protocolName: "TCP")
      text += service(family, port: LabPlan.echoPort, serverPort: LabPlan.echoPort, protocolName: "UDP")
      if plan.hasFTP {
        text += service(family, port: LabPlan.ftpPort, serverPort: LabPlan.serverFTPPort, protocolName: "TCP")
      }
      // A mark of UDP, and a service for every port, have this one in them.
      if plan.services.goByAddress {
        for port in plan.closedPorts { text += service(family, port: port, serverPort: port, protocolName: "UDP") }
      }
    }
    return text
  }

  static func groupName(_ family: IPAddress.Family) -> String { "local_v\(family.rawValue)" }

  private func service(
    _ family: IPAddress.Family, port: Int, serverPort: Int, protocolName: String
  ) -> String {
    var lines = [
      "", "virtual_server \(name(family, port: port)) {", "  lb_algo rr", "  lb_kind \(plan.mode.kind)",
      "  protocol \(protocolName)",
    ]
    let serverFamily = plan.serverFamily(family)
    if plan.services.isPersistent { lines.append("  persistence_timeout 300") }
    if plan.mode.usesLocalAddresses { lines.append("  laddr_group_name \(LabConfiguration.groupName(serverFamily))") }
    if protocolName == "TCP", let conveyance = plan.mode.conveyance { lines.append("  \(conveyance)") }
    let isSamePort = plan.services == .anyPort || plan.services == .mark && port == serverPort
    for index in serverNumbers(port: port) {
      lines += [
        "", "  real_server \(plan.serverAddress(index, serverFamily)) \(isSamePort ? 0 : serverPort) {", "    weight 1",
      ]
      if plan.mode == .fullnatVLAN { lines.append("    vlan \(LabPlan.vlan)") }
      lines.append("  }")
    }
    return (lines + ["}"]).joined(separator: "\n") + "\n"
  }

  /// Which servers a service has. What nobody listens for is the local server's alone, so that it is certain who says so.
  private func serverNumbers(port: Int) -> Range<Int> {
    plan.services.hasLocalServer && plan.closedPorts.contains(port)
      ? plan.servers.count..<plan.hosts.count : plan.hosts.indices
  }

  /// What stands behind `virtual_server`.
  private func name(_ family: IPAddress.Family, port: Int) -> String {
    switch plan.services {
    case .address, .local: "\(LabPlan.vip(family)) \(port)"
    case .mark: "fwmark \(LabConfiguration.mark(family, port: port))"
    case .anyPort: "\(LabPlan.vip(family)) 0"
    }
  }

  private static func mark(_ family: IPAddress.Family, port: Int) -> Int {
    (port == LabPlan.httpPort ? 1 : 2) + (family == .ipv6 ? 2 : 0)
  }

  /// Both languages: lbd's own for TCP, iptables' for UDP.
  private var markRules: String {
    let rules = LabPlan.families.flatMap { family in
      let vip = LabPlan.vip(family)
      let program = family == .ipv4 ? "iptables" : "ip6tables"
      let udp = "-t mangle -A PREROUTING -d \(vip) -p udp --dport \(LabPlan.echoPort):\(LabPlan.closedPort)"
      return [
        "    to \(vip) protocol tcp port \(LabPlan.httpPort) mark \(LabConfiguration.mark(family, port: LabPlan.httpPort))",
        "    \(program) \(udp) -j MARK --set-mark \(LabConfiguration.mark(family, port: LabPlan.echoPort))",
      ]
    }
    return (["", "lbd {", "  mark_rules {"] + rules + ["  }", "}", ""]).joined(separator: "\n")
  }

  /// nginx.conf of one server; `number` is 1, 2, or 3 for the director.
  func server(_ number: Int) -> String {
    let home = "\(plan.folder)/rs\(number)"
    let isProxied = plan.mode.usesProxyProtocol
    let proxy = isProxied ? " proxy_protocol" : ""
    let peer = isProxied ? "$proxy_protocol_addr $proxy_protocol_port" : "$remote_addr $remote_port"
    return """
      user root;
      daemon off;
      worker_processes 1;
      pid \(home)/nginx.pid;
      error_log \(home)/error.log warn;
      events { worker_connections 4096; }
      http {
        access_log off;
        default_type text/plain;
        sendfile on;
        keepalive_requests 1000000;
        client_body_temp_path \(home)/body;
        client_max_body_size 0;
        # A download that is held back on purpose fills buffers of several minutes, and none of it is sent meanwhile.
        send_timeout 1h;
        server {
          listen 80 backlog=4096;
          \(plan.mode == .fullnatTranslated ? "" : "listen 8080\(proxy) backlog=4096;")
          listen [::]:80 ipv6only=on backlog=4096;
          listen [::]:8080\(proxy) ipv6only=\(plan.mode == .fullnatTranslated ? "off" : "on") backlog=4096;
          location / { return 200 "\(LabConfiguration.greeting(number))\\n"; }
          location = /client { return 200 "\(peer)\\n"; }
          location = /download { alias \(plan.folder)/download; }
          location /upload/ {
            root \(home);
            dav_methods PUT;
          }
        }
      }

      """
  }

  /// What a server answers.
  static func greeting(_ number: Int) -> String { "this is RS0\(number)" }
}
