import Config
import Dataplane
import Testing

@testable import Control

/// Settings as they are written become settings as workers read them.
struct SettingValuesTests {
  /// Those that are about the kernel's own threads and tables.
  static let meaningless: Set<IPVSSetting> = [
    .estimationProcessors, .estimationNiceness, .debugLevel, .connectionLoadFactor, .serviceLoadFactor,
  ]

  private static func settings(_ lines: String...) throws -> IPVSSettings {
    var values: [IPVSSetting: IPVSSetting.Value] = [:]
    for line in lines {
      let parts = line.split(separator: "=")
      let parsed = try IPVSSetting.parse(name: "net.ipv4.vs.\(parts[0])", value: String(parts[1])).get()
      values[parsed.setting] = parsed.value
    }
    return IPVSSettings(values)
  }

  /// As a real ip_vs has them; `sync_qlen_max` goes by the memory there is.
  @Test func defaultsAreThoseOfIPVS() throws {
    let defaults = try SettingValuesTests.settings(
      "am_droprate=10", "amemthresh=1024", "backup_only=0", "cache_bypass=0", "conn_reuse_mode=1", "conntrack=0",
      "drop_entry=0", "drop_packet=0", "expire_nodest_conn=0", "expire_quiescent_template=0", "ignore_tunneled=0",
      "nat_icmp_send=0", "pmtu_disc=1", "run_estimation=1", "schedule_icmp=0", "secure_tcp=0", "sloppy_sctp=0",
      "sloppy_tcp=0", "snat_reroute=1", "sync_persist_mode=0", "sync_ports=1", "sync_refresh_period=0",
      "sync_retries=0", "sync_sock_size=0", "sync_threshold=3 50", "sync_version=1", "lblc_expiration=86400",
      "lblcr_expiration=86400")
    #expect(defaults == IPVSSettings())
  }

  @Test(arguments: IPVSSetting.allCases) func everySettingArrives(setting: IPVSSetting) throws {
    let other = setting == .pathMTUDiscovery || setting == .runEstimation || setting == .snatReroute
    let value: IPVSSetting.Value =
      switch setting {
      case .syncThreshold: .threshold(7, period: 9)
      case .estimationProcessors: .processors("0-3")
      case .syncVersion: .number(0)
      case .connectionReuseMode: .number(2)
      case .syncPorts: .number(8)
      default: .number(other ? 0 : 1)
      }
    let isDefault = IPVSSettings([setting: value]) == IPVSSettings()
    #expect(isDefault == SettingValuesTests.meaningless.contains(setting))
  }

  @Test(arguments: ICMPSetting.allCases) func everyLimitArrives(setting: ICMPSetting) {
    var settings = LbdSettings()
    #expect(IPVSSettings(settings) == IPVSSettings())
    settings.icmp[setting] = setting == .rateMaskV6 ? .types(low: 1, high: 2) : .number(7)
    let limits = IPVSSettings(settings).errorLimits
    let all = [
      limits.ratelimit, limits.ratemask, limits.messagesPerSecond, limits.messagesBurst, limits.ratelimitV6,
      UInt32(truncatingIfNeeded: limits.ratemaskV6Low), UInt32(truncatingIfNeeded: limits.ratemaskV6High),
    ]
    let usual: [UInt32] = [1000, 6168, 1000, 50, 1000, 0xffff_fffb, 0xffff_ffff]
    let changed = zip(all, usual).enumerated().filter { $0.element.0 != $0.element.1 }.map(\.offset)
    let place = ICMPSetting.allCases.firstIndex(of: setting)!
    #expect(changed == (setting == .rateMaskV6 ? [5, 6] : [place]))
  }

  @Test func numbersKeepTheirMeaning() throws {
    let settings = try SettingValuesTests.settings(
      "drop_entry=1", "drop_packet=3", "conn_reuse_mode=0", "sync_threshold=4 60", "lblcr_expiration=60")
    #expect(settings.dropEntry == .automatic && settings.dropPacket == .always && settings.secureTCP == .off)
    #expect(settings.connectionReuse == .keep)
    #expect(settings.syncThreshold == 4 && settings.syncPeriod == 60 && settings.lblcrSeconds == 60)
  }
}
