import Config
import Dataplane

/// Settings as they are written -> as workers read them.
extension IPVSSettings {
  /// What a configuration sets; the rest has its default.
  init(_ settings: LbdSettings) {
    self.init(settings.ipvs)
    cutsInsideTunnels = settings.cutsInsideTunnels
    for (setting, value) in settings.icmp { errorLimits.set(setting, to: value) }
    ftpPorts = HelperPorts(settings.ftpPorts)
  }

  /// IPVS's defaults but for what is set.
  init(_ values: [IPVSSetting: IPVSSetting.Value]) {
    self.init()
    for (setting, value) in values { set(setting, to: value) }
  }

  /// Takes one setting. The range of its value has been checked where it was read.
  mutating func set(_ setting: IPVSSetting, to value: IPVSSetting.Value) {
    switch value {
    case .threshold(let count, let period):
      guard setting == .syncThreshold else { return }
      syncThreshold = UInt32(clamping: count)
      syncPeriod = UInt32(clamping: period)
    case .number(let number):
      set(setting, to: number)
    case .processors:
      // Of the kernel's estimator threads; lbd has none.
      break
    }
  }

  private mutating func set(_ setting: IPVSSetting, to number: Int) {
    let isOn = number != 0
    let size = UInt32(clamping: number)
    let defence = Defence(rawValue: UInt8(clamping: number)) ?? .off
    switch setting {
    case .amDropRate: dropRate = size
    case .amemthresh: memoryThresholdPages = size
    case .backupOnly: isBackupOnly = isOn
    case .cacheBypass: bypassesCache = isOn
    case .connectionReuseMode: connectionReuse = Reuse(rawValue: UInt8(clamping: number)) ?? .reschedule
    case .conntrack: tracksConnections = isOn
    case .dropEntry: dropEntry = defence
    case .dropPacket: dropPacket = defence
    case .secureTCP: secureTCP = defence
    case .expireNoDestinationConnections: expiresConnectionsWithoutServer = isOn
    case .expireQuiescentTemplates: expiresQuiescentTemplates = isOn
    case .ignoreTunneled: ignoresTunneled = isOn
    case .lblcExpiration: lblcSeconds = size
    case .lblcrExpiration: lblcrSeconds = size
    case .natICMPSend: sendsICMPToUnknown = isOn
    case .pathMTUDiscovery: honoursDontFragment = isOn
    case .runEstimation: estimates = isOn
    case .scheduleICMP: schedulesICMP = isOn
    case .sloppySCTP: isSloppySCTP = isOn
    case .sloppyTCP: isSloppyTCP = isOn
    case .snatReroute: reroutesReplies = isOn
    case .syncPersistMode: syncsTemplatesOnly = isOn
    case .syncPorts: syncPorts = size
    case .syncQueueLength: syncQueueLength = size
    case .syncRefreshPeriod: syncRefreshSeconds = size
    case .syncRetries: syncRetries = UInt8(clamping: number)
    case .syncSocketSize: syncSocketBytes = size
    case .syncVersion: syncVersion = UInt8(clamping: number)
    case .syncThreshold, .estimationProcessors, .estimationNiceness, .debugLevel, .connectionLoadFactor,
      .serviceLoadFactor:
      // Of no meaning here, or not a number.
      break
    }
  }
}

extension ICMPLimits {
  /// Takes one setting.
  mutating func set(_ setting: ICMPSetting, to value: ICMPSetting.Value) {
    switch value {
    case .types(let low, let high):
      (ratemaskV6Low, ratemaskV6High) = (low, high)
    case .number(let number):
      switch setting {
      case .rateLimit: ratelimit = number
      case .rateMask: ratemask = number
      case .messagesPerSecond: messagesPerSecond = number
      case .messagesBurst: messagesBurst = number
      case .rateLimitV6: ratelimitV6 = number
      case .rateMaskV6: break
      }
    }
  }
}
