import Config
import Dataplane
import Notify

// Numbers for a monitoring system, in the text format of Prometheus (version 0.0.4): names and labels are kept stable and
// stand in docs/metrics.md, which a test compares with what is written here.

/// Metrics of everything. Sums only: it takes no longer for a million connections.
struct MetricsText {
  /// What a metric is.
  enum Kind: String {
    case counter, gauge
  }

  private let place: WhyPlace
  private let told: NotifierNumbers?
  private let uptimeSeconds: UInt64
  private var text = ""

  init(_ place: WhyPlace, told: NotifierNumbers?, uptimeSeconds: UInt64) {
    self.place = place
    self.told = told
    self.uptimeSeconds = uptimeSeconds
  }

  /// All metrics.
  static func text(_ place: WhyPlace, told: NotifierNumbers?, uptimeSeconds: UInt64) -> String {
    var metrics = MetricsText(place, told: told, uptimeSeconds: uptimeSeconds)
    metrics.addDirector()
    metrics.addFrames()
    metrics.addWorkers()
    metrics.addServices()
    metrics.addServers()
    metrics.addHealth()
    metrics.addNotices()
    return metrics.text
  }

  private typealias Sample = (labels: String, value: String)

  /// One metric with its samples; nothing when it has none.
  private mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [Sample]) {
    guard !samples.isEmpty else { return }
    text += "# HELP lbd_\(name) \(help)\n# TYPE lbd_\(name) \(kind.rawValue)\n"
    for sample in samples { text += "lbd_\(name)\(sample.labels) \(sample.value)\n" }
  }

  private mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: UInt64) {
    add(name, kind, help, [("", "\(value)")])
  }

  /// `{a="1",b="2"}`; backslashes, quotes and line ends of values are written as the format wants them.
  static func labels(_ pairs: (String, String)...) -> String {
    let parts = pairs.map { name, value in
      var escaped = ""
      for scalar in value.unicodeScalars {
        switch scalar {
        case "\\": escaped += "\\\\"
        case "\"": escaped += "\\\""
        case "\n": escaped += "\\n"
        default: escaped.unicodeScalars.append(scalar)
        }
      }
      return "\(name)=\"\(escaped)\""
    }
    return "{" + parts.joined(separator: ",") + "}"
  }

  /// Seconds with nine digits, without Foundation.
  static func seconds(nanoseconds: UInt64) -> String {
    let rest = String(nanoseconds % 1_000_000_000)
    return "\(nanoseconds / 1_000_000_000)." + String(repeating: "0", count: 9 - rest.count) + rest
  }

  // MARK: - The director

  private mutating func addDirector() {
    add("uptime_seconds", .gauge, "Since lbd has begun to forward.", uptimeSeconds)
    add(
      "snapshots_total", .counter, "Changes of services, servers or routes that workers were given.",
      UInt64(place.dataplane.snapshotNumber))
    let entries = place.dataplane.entryCounts
    add(
      "table_entries", .gauge, "Entries of the connection tables: two for a connection whose replies pass here.",
      [
        (MetricsText.labels(("family", "ipv4")), "\(entries.ipv4)"),
        (MetricsText.labels(("family", "ipv6")), "\(entries.ipv6)"),
      ])
    add(
      "table_capacity_connections", .gauge, "Connections that there is room for.",
      UInt64(place.dataplane.tableDescription.connections))
    add(
      "table_fill_ratio", .gauge, "How much of that room is in use, 0 to 1.",
      [("", "\(place.dataplane.tableFill)")])
  }

  private mutating func addFrames() {
    let statistics = place.dataplane.statistics()
    add("frames_received_total", .counter, "Frames taken from the ports.", statistics.received)
    add(
      "frames_originated_total", .counter, "Frames that lbd has made itself: fragments, resets, ICMP errors.",
      statistics.originated)
    add(
      "frames_missed_total", .counter, "Frames that the kernel or a device lost before lbd saw them.",
      statistics.missed)
    add(
      "frames_total", .counter, "Frames by what became of them; every received frame is counted once.",
      Outcome.allCases.compactMap { outcome in
        statistics.outcomes[outcome].map { (MetricsText.labels(("outcome", outcome.name)), "\($0)") }
      })
    add("connections_expired_total", .counter, "Connections that have timed out.", statistics.expired)
  }

  private mutating func addWorkers() {
    let workers = place.dataplane.workerNumbers.enumerated().map {
      (labels: MetricsText.labels(("worker", "\($0)")), numbers: $1)
    }
    add(
      "worker_frames_received_total", .counter, "Frames that a worker has taken from its ports.",
      workers.map { ($0.labels, "\($0.numbers.received)") })
    add(
      "worker_frames_missed_total", .counter, "Frames lost before a worker saw them.",
      workers.map { ($0.labels, "\($0.numbers.missed)") })
    add(
      "worker_transmit_refused_total", .counter, "Frames dropped because the ring to send by was full.",
      workers.map { ($0.labels, "\($0.numbers.refused)") })
    add(
      "worker_busy_seconds_total", .counter, "Time that a worker has spent with frames.",
      workers.map { ($0.labels, MetricsText.seconds(nanoseconds: $0.numbers.busyNanoseconds)) })
  }

  // MARK: - Services and servers

  private var listing: Listing { Listing(services: place.services, dataplane: place.dataplane) }

  private mutating func addServices() {
    let listing = self.listing
    let sums = listing.services.counters { listing.dataplane.counters(ofServer: $0) }
    let services = listing.listed.map { service in
      (name: "\(service.spec.key)", counters: sums.services[service.number] ?? ServerCounters())
    }
    add("services", .gauge, "Virtual services.", UInt64(services.count))
    add(
      "service_connections_total", .counter, "Connections scheduled.",
      services.map { (MetricsText.labels(("service", $0.name)), "\($0.counters.connections)") })
    add(
      "service_packets_total", .counter, "Packets, from clients (in) and from servers (out, where they pass here).",
      services.flatMap { service in
        MetricsText.directions(service.counters.inPackets, service.counters.outPackets) {
          [("service", service.name), $0]
        }
      })
    add(
      "service_bytes_total", .counter, "IP bytes, from clients (in) and from servers (out, where they pass here).",
      services.flatMap { service in
        MetricsText.directions(service.counters.inBytes, service.counters.outBytes) { [("service", service.name), $0] }
      })
  }

  private mutating func addServers() {
    let listing = self.listing
    let sums = listing.services.counters { listing.dataplane.counters(ofServer: $0) }
    let servers = listing.listed.flatMap { service in
      listing.servers(of: service).map { server in
        (
          names: [("service", "\(service.spec.key)"), ("server", "\(server.spec.endpoint)")],
          counters: sums.servers[server.number] ?? ServerCounters(), weight: server.spec.weight,
          counts: listing.connections(of: server), persistent: listing.persistentConnections(of: server)
        )
      }
    }
    func samples(_ value: (Int) -> String) -> [Sample] {
      servers.indices.map { (MetricsText.labels(servers[$0].names), value($0)) }
    }
    add("server_weight", .gauge, "Weight by which a server is picked.", samples { "\(servers[$0].weight)" })
    add("server_active_connections", .gauge, "Established connections.", samples { "\(servers[$0].counts.active)" })
    add(
      "server_inactive_connections", .gauge, "Connections in other states.",
      samples { "\(servers[$0].counts.inactive)" })
    add(
      "server_persistent_connections", .gauge, "Clients that are to come back to a server.",
      samples { "\(servers[$0].persistent)" })
    add(
      "server_connections_total", .counter, "Connections scheduled.",
      samples { "\(servers[$0].counters.connections)" })
    add(
      "server_opened_connections_total", .counter, "Connections of TCP that a SYN has opened.",
      samples { "\(servers[$0].counters.opened)" })
    add(
      "server_answered_connections_total", .counter, "Those whose SYN the server (DR, TUN: the client) has answered.",
      samples { "\(servers[$0].counters.answered)" })
    add(
      "server_refused_connections_total", .counter, "Those whose SYN the server has reset, where that passes here.",
      samples { "\(servers[$0].counters.refused)" })
    add(
      "server_packets_total", .counter, "Packets, to a server (in) and from it (out, where they pass here).",
      servers.flatMap { server in
        MetricsText.directions(server.counters.inPackets, server.counters.outPackets) { server.names + [$0] }
      })
    add(
      "server_bytes_total", .counter, "IP bytes, to a server (in) and from it (out, where they pass here).",
      servers.flatMap { server in
        MetricsText.directions(server.counters.inBytes, server.counters.outBytes) { server.names + [$0] }
      })
  }

  private static func labels(_ pairs: [(String, String)]) -> String {
    guard pairs.count > 1 else { return pairs.first.map { labels($0) } ?? "" }
    return "{" + pairs.map { labels($0).dropFirst().dropLast() }.joined(separator: ",") + "}"
  }

  private static func directions(
    _ incoming: UInt64, _ outgoing: UInt64, _ names: ((String, String)) -> [(String, String)]
  ) -> [Sample] {
    [
      (labels(names(("direction", "in"))), "\(incoming)"), (labels(names(("direction", "out"))), "\(outgoing)"),
    ]
  }

  // MARK: - Health, and who was told

  private mutating func addHealth() {
    guard let health = place.health() else { return }
    let units = health.summaries
    add(
      "virtual_server_up", .gauge, "1 while a virtual server has its quorum.",
      units.map { (MetricsText.labels(("virtual_server", $0.name)), $0.isUp ? "1" : "0") })
    add(
      "virtual_server_sorry", .gauge, "1 while the sorry server serves.",
      units.map { (MetricsText.labels(("virtual_server", $0.name)), $0.isSorry ? "1" : "0") })
    let servers = units.flatMap { unit in unit.servers.map { (unit: unit.name, server: $0) } }
    add(
      "real_server_up", .gauge,
      "1 while a real server is well: no check has failed, and passive_check has not taken it out.",
      servers.map {
        (
          MetricsText.labels(("virtual_server", $0.unit), ("real_server", $0.server.name)),
          $0.server.isUp ? "1" : "0"
        )
      })
    addPassive(units)
  }

  /// Passive detection, of services that ask for it.
  private mutating func addPassive(_ units: [HealthListing.Summary]) {
    let watched = units.flatMap { unit in
      unit.servers.compactMap { server in
        server.passiveRemovals.map {
          (
            labels: MetricsText.labels(("virtual_server", unit.name), ("real_server", server.name)),
            isOut: server.isSuspect, count: $0
          )
        }
      }
    }
    add(
      "real_server_passively_removed", .gauge, "1 while passive_check keeps a real server out.",
      watched.map { ($0.labels, $0.isOut ? "1" : "0") })
    add(
      "real_server_passive_removals_total", .counter, "How often passive_check has taken a real server out.",
      watched.map { ($0.labels, "\($0.count)") })
  }

  private mutating func addNotices() {
    guard let told else { return }
    add("mails_sent_total", .counter, "Mails that a server has taken.", UInt64(clamping: told.mailsSent))
    add("mails_lost_total", .counter, "Mails that were given up.", UInt64(clamping: told.mailsLost))
    add("fifo_lines_written_total", .counter, "Lines that pipes have taken.", UInt64(clamping: told.linesWritten))
    add("fifo_lines_lost_total", .counter, "Lines that they have not.", UInt64(clamping: told.linesLost))
    add("notify_scripts_run_total", .counter, "Notification scripts that have run.", UInt64(clamping: told.scriptsRun))
    add(
      "notify_scripts_failed_total", .counter, "Those that were not started, or ended badly.",
      UInt64(clamping: told.scriptsFailed))
  }
}
