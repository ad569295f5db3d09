import Wire

// The options of `--start-daemon`, each checked as it comes.

extension SyncDaemonSpec {
  /// Takes an option if it is one of these.
  mutating func take(_ option: IpvsadmOption, _ value: String) throws(IpvsadmError) {
    switch option {
    case .syncID: syncID = UInt8(try number(value, in: 0...255, "syncid"))
    case .syncLength: lengthLimit = try number(value, in: 1...65507, "sync-maxlen")
    // As long as the kernel's names are.
    case .multicastInterface: interface = String(decoding: value.utf8.prefix(15), as: UTF8.self)
    case .multicastGroup:
      let isIPv6 = value.utf8.contains(UInt8(ascii: ":"))
      guard let address = IPAddress(value), address.isMulticast else {
        throw usage("invalid \(isIPv6 ? "IPv6" : "IPv4") mcast-group `\(value)'")
      }
      group = address
    case .multicastPort: port = UInt16(try number(value, in: 1...65535, "mcast-port"))
    case .multicastTTL: ttl = UInt8(try number(value, in: 1...255, "mcast-ttl"))
    default: break
    }
  }
}
