// Which options go with which command of ipvsadm.
//
// Options that exclude each other by themselves, such as the forwarding methods, share a slot and may be given once.
// The slots' order is that of the checks, and decides which of two mistakes is reported.

/// A kind of option, named as in messages.
enum IpvsadmSlot: String, CaseIterable {
  case numeric, connection
  case service = "service-address"
  case scheduler, persistent, netmask
  case realServer = "real-server"
  case method = "forwarding-method"
  case weight
  case upperThreshold = "u-threshold"
  case lowerThreshold = "l-threshold"
  case multicastInterface = "mcast-interface"
  case timeout, daemon, stats, rate, thresholds
  case noSort = "nosort"
  case syncID = "syncid"
  case exact
  case onePacket = "ops"
  case persistentConnections = "persistent-conn"
  case engine = "pe"
  case flags = "sched-flags"
  case syncLength = "sync-maxlen"
  case multicastGroup = "mcast-group"
  case multicastPort = "mcast-port"
  case multicastTTL = "mcast-ttl"
  case tunnelInfo = "tun-info"
  case tunnelType = "tun-type"
  case tunnelPort = "tun-port"
  case tunnelNoChecksum = "tun-nocsum"
  case tunnelChecksum = "tun-csum"
  case tunnelRemoteChecksum = "tun-remcsum"
  case localAddress = "local-address"
  case interface = "ifname"
  case json, health, atomic

  /// - Returns: nil for commands and for options that go with everything.
  init?(_ option: IpvsadmOption) {
    switch option {
    case .tcpService, .udpService, .sctpService, .markService: self = .service
    case .gatewaying, .ipip, .masquerading, .fullNAT: self = .method
    case .sort: return nil
    default: self.init(rawValue: option.syntax.long)
    }
  }
}

/// The rules of one command.
struct IpvsadmRules {
  private let name: String
  private var needs: Set<IpvsadmSlot> = []
  private var allows: Set<IpvsadmSlot> = []
  /// At most one of these.
  private var alternatives: Set<IpvsadmSlot> = []
  /// These do not go with a listing of connections, timeouts or daemons.
  private var formats: Set<IpvsadmSlot> = []

  init(of command: IpvsadmOption) {
    name = command == .clear ? "flush" : command.syntax.long
    switch command {
    case .addService, .editService:
      needs = [.service]
      allows = [.scheduler, .persistent, .netmask, .onePacket, .engine, .flags]
    case .deleteService: needs = [.service]
    case .addServer, .editServer:
      needs = [.service, .realServer]
      allows = [
        .method, .weight, .upperThreshold, .lowerThreshold, .tunnelType, .tunnelPort, .tunnelNoChecksum,
        .tunnelChecksum, .tunnelRemoteChecksum,
      ]
    case .deleteServer: needs = [.service, .realServer]
    case .list:
      alternatives = [.service, .connection, .timeout, .daemon]
      formats = [.stats, .rate, .thresholds]
      allows = alternatives.union(formats).union([
        .numeric, .exact, .persistentConnections, .tunnelInfo, .noSort, .json, .health,
      ])
    case .zero: allows = [.service]
    case .save: allows = [.numeric]
    case .startDaemon:
      allows = [.multicastInterface, .syncID, .syncLength, .multicastGroup, .multicastPort, .multicastTTL]
    case .stopDaemon: allows = [.syncID]
    case .restore: allows = [.atomic]
    case .addLocalAddress, .deleteLocalAddress:
      needs = [.service, .localAddress]
      allows = [.interface]
    case .listLocalAddresses: allows = [.service, .numeric]
    default: break
    }
  }

  /// Throws what is wrong with these options for this command.
  func check(_ given: Set<IpvsadmSlot>) throws(IpvsadmError) {
    var alternative: IpvsadmSlot?
    for slot in IpvsadmSlot.allCases {
      guard given.contains(slot) else {
        guard needs.contains(slot) else { continue }
        throw usage("You need to supply the '\(slot.rawValue)' option for the '\(name)' command")
      }
      guard needs.contains(slot) || allows.contains(slot) else {
        throw usage("Illegal '\(slot.rawValue)' option with the '\(name)' command")
      }
      guard alternatives.contains(slot) else { continue }
      if let other = alternative {
        throw usage(
          "The option '\(slot.rawValue)' conflicts with the '\(other.rawValue)' option in the '\(name)' command")
      }
      alternative = slot
    }
    guard let alternative, alternative != .service else { return }
    let isTable = alternative == .connection
    if !given.isDisjoint(with: formats) || !isTable && given.contains(.persistentConnections) {
      throw usage("options conflicts in the list command")
    }
  }
}
