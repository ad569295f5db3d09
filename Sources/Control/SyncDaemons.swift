import Config
import Wire

/// The connection synchronisation daemons that have been started: one that sends, one that receives.
///
/// Only what they were told; this version has no engine for them yet, so that scripts that start them run, and listings show
/// them, but no connection is sent.
struct SyncDaemons {
  private var running: [SyncDaemonSpec.Role: SyncDaemonSpec] = [:]

  /// No daemon.
  init() {}

  /// Those that run, the master first.
  var listed: [SyncDaemonSpec] { SyncDaemonSpec.Role.allCases.compactMap { running[$0] } }

  /// - Parameter mtu: of an interface by its name; nil for one that does not exist.
  mutating func start(_ spec: SyncDaemonSpec, mtu: (String) -> Int?) throws(IpvsadmError) {
    guard let mtu = mtu(spec.interface) else { throw IpvsadmError("No such device", exitCode: 255) }
    guard running[spec.role] == nil else { throw IpvsadmError("Daemon has already run", exitCode: 255) }
    var spec = spec
    spec.lengthLimit = SyncDaemons.length(of: spec, mtu: mtu)
    running[spec.role] = spec
  }

  mutating func stop(_ role: SyncDaemonSpec.Role) throws(IpvsadmError) {
    guard running.removeValue(forKey: role) != nil else { throw IpvsadmError("No daemon is running", exitCode: 255) }
  }

  /// What a datagram holds; a backup takes at least 1024 bytes, whatever it is told.
  private static func length(of spec: SyncDaemonSpec, mtu: Int) -> Int {
    let headers = spec.group.family == .ipv4 ? 28 : 48
    guard let wanted = spec.lengthLimit else { return 1500 - headers }
    switch spec.role {
    case .master: return min(wanted, max(mtu, 1500) - headers)
    case .backup: return min(max(wanted, 1024), 65535 - headers)
    }
  }

  /// `ipvsadm -L --daemon`; nothing where no daemon runs.
  var text: String {
    listed.map { daemon in
      "\(daemon.role.rawValue) sync daemon (mcast=\(daemon.interface), syncid=\(daemon.syncID)"
        + ", maxlen=\(daemon.lengthLimit ?? 0), group=\(daemon.group), port=\(daemon.port), ttl=\(daemon.ttl))\n"
    }.joined()
  }
}
