/// The settings of IPVS, `net.ipv4.vs.*`, as workers read them: plain values, copied into every snapshot.
///
/// Each property says what IPVS's setting of the name in code type does; the defaults are IPVS's. Not here are those that
/// have no meaning for lbd (`est_cpulist`, `est_nice`, `debug_level`, `conn_lfactor`, `svc_lfactor`): they are about the
/// kernel's threads and hash tables, and are read and dropped.
public struct IPVSSettings: Sendable, Equatable {
  /// When the defences against floods act: not at all, by memory, or always.
  public enum Defence: UInt8, Sendable {
    /// Off.
    case off
    /// On while memory is short, and then mode 2 until it no longer is.
    case automatic
    /// On because memory is short.
    case automaticActive
    /// On.
    case always

    /// Whether it acts now.
    public var isInEffect: Bool { self == .automaticActive || self == .always }
  }

  /// What becomes of a new connection whose client port has an entry already.
  public enum Reuse: UInt8, Sendable {
    /// It takes over the entry and its server.
    case keep
    /// A server is chosen anew, when the old connection has ended.
    case reschedule
    /// As `reschedule`, but not for connections that FTP expects.
    case rescheduleNotExpected
    /// Both.
    case rescheduleBoth
  }

  /// `amemthresh`: free memory, in pages, below which the automatic defences act.
  public var memoryThresholdPages: UInt32 = 1024
  /// `am_droprate`: of how many new packets `drop_packet` 3 drops one.
  public var dropRate: UInt32 = 10
  /// `drop_entry`: half-open and idle connections are deleted by lot.
  public var dropEntry = Defence.off
  /// `drop_packet`: some packets that would make a connection are dropped.
  public var dropPacket = Defence.off
  /// `secure_tcp`: TCP states with shorter times.
  public var secureTCP = Defence.off

  /// `cache_bypass`: without a server, packets of a mark go on to where they were sent.
  public var bypassesCache = false
  /// `conn_reuse_mode`.
  public var connectionReuse = Reuse.reschedule
  /// `conntrack`: the kernel's connection tracking; lbd has none to keep.
  public var tracksConnections = false
  /// `expire_nodest_conn`: connections of removed servers end with their next packet.
  public var expiresConnectionsWithoutServer = false
  /// `expire_quiescent_template`: a server of weight 0 loses its persistent clients.
  public var expiresQuiescentTemplates = false
  /// `ignore_tunneled`: tunnels that end on this host are not looked into.
  public var ignoresTunneled = false
  /// `nat_icmp_send`: a NAT server that answers without a connection is told so.
  public var sendsICMPToUnknown = false
  /// `pmtu_disc`: the "don't fragment" bit counts when packets are put into a tunnel.
  public var honoursDontFragment = true
  /// `run_estimation`: rates are estimated and counters refreshed.
  public var estimates = true
  /// `schedule_icmp`: ICMP errors may make a connection.
  public var schedulesICMP = false
  /// `sloppy_tcp`: every segment but a reset may make a connection.
  public var isSloppyTCP = false
  /// `sloppy_sctp`: every chunk but an abort may make a connection.
  public var isSloppySCTP = false
  /// `snat_reroute`: replies are routed anew after their source has been rewritten.
  public var reroutesReplies = true
  /// `lblc_expiration`, in seconds.
  public var lblcSeconds: UInt32 = 86_400
  /// `lblcr_expiration`, in seconds.
  public var lblcrSeconds: UInt32 = 86_400

  /// `backup_only`: while the backup role of synchronisation runs, nothing is scheduled.
  public var isBackupOnly = false
  /// `sync_threshold`, first number: which packet of a connection sends it to the backups.
  public var syncThreshold: UInt32 = 3
  /// `sync_threshold`, second number: every how many packets it is sent again; 0 for once.
  public var syncPeriod: UInt32 = 50
  /// `sync_refresh_period`, in seconds; 0 to go by packets.
  public var syncRefreshSeconds: UInt32 = 0
  /// `sync_retries`: how often a connection is sent again within a refresh period.
  public var syncRetries: UInt8 = 0
  /// `sync_persist_mode`: of persistent services only the templates are sent.
  public var syncsTemplatesOnly = false
  /// `sync_qlen_max`: messages that may wait; 0 goes by the memory there is.
  public var syncQueueLength: UInt32 = 0
  /// `sync_sock_size`, in bytes; 0 is the system's.
  public var syncSocketBytes: UInt32 = 0
  /// `sync_ports`: over how many ports connections are spread.
  public var syncPorts: UInt32 = 1
  /// `sync_version`: the format that is sent.
  public var syncVersion: UInt8 = 1

  /// Not a setting of IPVS: its faults that lbd does not share otherwise are repeated, so that a recorded case can be held
  /// against it. Only replay sets it.
  public var repeatsFaults = false
  /// Not IPVS's, but the kernel's: how many ICMP errors are originated.
  public var errorLimits = ICMPLimits()
  /// Not IPVS's: a packet that is too large for a tunnel and may be cut is cut before it is put in, where IPVS cuts the outer
  /// packet.
  public var cutsInsideTunnels = false
  /// The FTP helper (the kernel's module `ip_vs_ftp`): ports whose connections through NAT are read for announced data
  /// connections.
  public var ftpPorts = HelperPorts()

  /// IPVS's defaults.
  public init() {}
}
