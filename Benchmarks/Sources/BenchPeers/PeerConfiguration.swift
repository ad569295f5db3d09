/// What the programs on the director are told: the same two services for all of them.
///
/// HTTP goes to both servers in turn. The transfers of iperf3 go to the first one alone: a test of it is two
/// connections, which must meet at one server.
struct PeerConfiguration {
  let vip: String
  let servers: [String]
  let localAddresses: String
  let folder: String

  static let httpPort = 80
  static let transferPort = 5201

  // MARK: lbd

  /// keepalived.conf.
  func lbd(kind: String) -> String {
    let group = kind == "FNAT" ? "local_address_group local {\n  \(localAddresses)\n}\n" : ""
    return group + service(PeerConfiguration.httpPort, kind, servers)
      + service(PeerConfiguration.transferPort, kind, [servers[0]])
  }

  private func service(_ port: Int, _ kind: String, _ servers: [String]) -> String {
    let local = kind == "FNAT" ? "  laddr_group_name local\n" : ""
    let real = servers.map { "  real_server \($0) \(port) {\n    weight 1\n  }\n" }.joined()
    return "virtual_server \(vip) \(port) {\n  lb_algo rr\n  lb_kind \(kind)\n  protocol TCP\n\(local)\(real)}\n"
  }

  // MARK: nftables

  static let table = "lbd_peers"

  /// A ruleset: destination by turns, source replaced so that answers come back this way.
  func nftables(source: String) -> String {
    let web = PeerConfiguration.httpPort
    let choices = servers.indices.map { "\($0) : \(servers[$0])" }.joined(separator: ", ")
    return """
      table ip \(PeerConfiguration.table) {
        chain prerouting {
          type nat hook prerouting priority dstnat
          ip daddr \(vip) tcp dport \(web) dnat to numgen inc mod \(servers.count) map { \(choices) }
          ip daddr \(vip) tcp dport \(PeerConfiguration.transferPort) dnat to \(servers[0])
        }
        chain postrouting {
          type nat hook postrouting priority srcnat
          ip daddr { \(servers.joined(separator: ", ")) } snat to \(source)
        }
      }

      """
  }

  // MARK: Proxies

  /// haproxy.cfg.
  func haproxy(source: String) -> String {
    let web = servers.indices.map { "  server rs\($0 + 1) \(servers[$0]):\(PeerConfiguration.httpPort)\n" }.joined()
    return """
      global
        nbthread 1
        maxconn 4000
      defaults
        mode tcp
        timeout connect 5s
        timeout client 60s
        timeout server 60s
        source \(source)
      listen web
        bind \(vip):\(PeerConfiguration.httpPort) backlog 4096
        balance roundrobin
      \(web)listen transfer
        bind \(vip):\(PeerConfiguration.transferPort)
        server rs1 \(servers[0]):\(PeerConfiguration.transferPort)

      """
  }

  /// nginx.conf. The stream module is a package of its own.
  func nginx(source: String) -> String {
    let web = servers.map { "server \($0):\(PeerConfiguration.httpPort);" }.joined(separator: " ")
    return """
      load_module /usr/lib/nginx/modules/ngx_stream_module.so;
      user root;
      daemon off;
      worker_processes 1;
      pid \(folder)/stream.pid;
      error_log \(folder)/stream-error.log warn;
      events { worker_connections 8192; }
      stream {
        proxy_bind \(source);
        upstream web { \(web) }
        upstream transfer { server \(servers[0]):\(PeerConfiguration.transferPort); }
        server {
          listen \(vip):\(PeerConfiguration.httpPort) backlog=4096;
          proxy_pass web;
        }
        server {
          listen \(vip):\(PeerConfiguration.transferPort);
          proxy_pass transfer;
        }
      }

      """
  }
}
