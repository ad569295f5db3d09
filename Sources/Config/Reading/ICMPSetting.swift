// How many ICMP errors the kernel originates, `net.ipv4.icmp_*` and `net.ipv6.icmp.*`, under the kernel's names: lbd
// originates its own, and goes by them.

/// A setting of the kernel about ICMP errors, by its name.
public enum ICMPSetting: String, CaseIterable, Hashable, Sendable {
  case rateLimit = "net.ipv4.icmp_ratelimit"
  case rateMask = "net.ipv4.icmp_ratemask"
  case messagesPerSecond = "net.ipv4.icmp_msgs_per_sec"
  case messagesBurst = "net.ipv4.icmp_msgs_burst"
  case rateLimitV6 = "net.ipv6.icmp.ratelimit"
  case rateMaskV6 = "net.ipv6.icmp.ratemask"

  /// What a setting is set to.
  public enum Value: Hashable, Sendable {
    /// All but one.
    case number(UInt32)
    /// `ratemask` of IPv6: types 0 to 63, and 64 to 127. (Those above are no errors.)
    case types(low: UInt64, high: UInt64)
  }

  /// Reads a setting's value.
  /// - Parameter name: with dots or slashes between.
  /// - Returns: nil when the name is none of these.
  public static func parse(
    name: String, value: String
  ) -> Result<(setting: ICMPSetting, value: Value), IPVSSetting.Failure>? {
    let dotted = String(name.map { $0 == "/" ? "." : $0 })
    guard let setting = ICMPSetting(rawValue: dotted) else { return nil }
    guard let parsed = setting.value(value) else {
      return .failure(
        IPVSSetting.Failure(
          message: "\(quoted(value)) is not a value of \(dotted)", remedy: "write \(setting.meaning)"))
    }
    return .success((setting, parsed))
  }

  private var meaning: String {
    self == .rateMaskV6 ? "ranges of types such as 0-1,3-127" : "a number from 0 to \(Int32.max)"
  }

  private func value(_ text: String) -> Value? {
    if self == .rateMaskV6 { return ICMPSetting.types(text) }
    guard let number = decimal(text), number <= Int(Int32.max) else { return nil }
    return .number(UInt32(number))
  }

  /// `0-1,3-127`; nothing at all is no type.
  private static func types(_ text: String) -> Value? {
    var (low, high): (UInt64, UInt64) = (0, 0)
    guard text.utf8.count <= 1024 else { return nil }
    if text.isEmpty { return .types(low: 0, high: 0) }
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let ends = part.split(separator: "-", omittingEmptySubsequences: false).map { decimal(String($0)) ?? -1 }
      guard ends.count == 1 || ends.count == 2, let first = ends.first, let last = ends.last, first >= 0,
        first <= last, last <= 255
      else { return nil }
      for type in first...last where type < 128 {
        if type < 64 { low |= 1 << UInt64(type) } else { high |= 1 << UInt64(type - 64) }
      }
    }
    return .types(low: low, high: high)
  }
}
