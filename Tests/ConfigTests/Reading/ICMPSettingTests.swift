import Testing

@testable import Config

@Suite struct ICMPSettingTests {
  @Test(arguments: [
    ("net.ipv4.icmp_ratelimit", "0", ICMPSetting.rateLimit, ICMPSetting.Value.number(0)),
    ("net/ipv4/icmp_ratemask", "6168", .rateMask, .number(6168)),
    ("net.ipv4.icmp_msgs_per_sec", "2147483647", .messagesPerSecond, .number(2_147_483_647)),
    ("net.ipv4.icmp_msgs_burst", "50", .messagesBurst, .number(50)),
    ("net.ipv6.icmp.ratelimit", "1000", .rateLimitV6, .number(1000)),
    ("net.ipv6.icmp.ratemask", "0-1,3-127", .rateMaskV6, .types(low: ~4, high: .max)),
    ("net.ipv6.icmp.ratemask", "64,127,200-255", .rateMaskV6, .types(low: 0, high: 1 << 63 | 1)),
    ("net.ipv6.icmp.ratemask", "", .rateMaskV6, .types(low: 0, high: 0)),
  ])
  func reads(name: String, text: String, setting: ICMPSetting, value: ICMPSetting.Value) throws {
    let parsed = try #require(ICMPSetting.parse(name: name, value: text)).get()
    #expect(parsed.setting == setting && parsed.value == value)
  }

  @Test(arguments: [
    ("net.ipv4.icmp_ratelimit", ""), ("net.ipv4.icmp_ratelimit", "-1"), ("net.ipv4.icmp_ratemask", "0x1818"),
    ("net.ipv4.icmp_msgs_burst", "2147483648"), ("net.ipv6.icmp.ratelimit", "1s"),
    ("net.ipv6.icmp.ratemask", "3-1"), ("net.ipv6.icmp.ratemask", "256"), ("net.ipv6.icmp.ratemask", "1,"),
    ("net.ipv6.icmp.ratemask", "1-2-3"),
  ])
  func refuses(name: String, text: String) throws {
    guard case .failure(let failure) = try #require(ICMPSetting.parse(name: name, value: text)) else {
      Issue.record("\(name) = \(text) is accepted")
      return
    }
    #expect(failure.message.contains(name) && failure.remedy.hasPrefix("write "))
  }

  @Test func othersAreNotTheirs() {
    let parsed = ICMPSetting.parse(name: "net.ipv4.icmp_echo_ignore_all", value: "1")
    #expect(parsed == nil)
  }

  @Test func standsInTheConfiguration() {
    let (configuration, diagnostics) = read("lbd {\nsysctl net.ipv4.icmp_ratelimit 20\n}")
    #expect(diagnostics.isEmpty, "\(diagnostics)")
    #expect(configuration.settings.icmp == [.rateLimit: .number(20)])
    let (other, refused) = read("lbd {\nsysctl net.ipv4.icmp_ratelimit much\n}")
    #expect(refused.map { "\($0.line):\($0.column) \($0.severity.name)" } == ["2:8 error"])
    #expect(other.settings.icmp.isEmpty)
  }

  @Test func topologiesAreHeldToIt() {
    guard case .failure = TopologyText.parse(line: "sysctl -w net.ipv4.icmp_ratelimit=x") else {
      Issue.record("accepted")
      return
    }
  }
}
