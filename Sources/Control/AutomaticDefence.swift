import Dataplane

/// The automatic modes (1 and 2) of `drop_entry`, `drop_packet` and `secure_tcp`: they act while memory is short.
///
/// IPVS means the pages the kernel has free, as its connections are allocated one by one. lbd's are not: what may run short
/// is the connection table's room, which counts as well.
struct AutomaticDefence {
  /// What is short, for people; nil when nothing is.
  private(set) var shortage: String?
  /// Of how many packets that would open a connection one is dropped meanwhile.
  private var dropRate: UInt32 = 1

  /// The part of the table that is kept in reserve.
  static let reserve = 1.0 / 16

  /// True when some defence is in an automatic mode.
  static func isWanted(_ settings: IPVSSettings) -> Bool {
    [settings.dropEntry, settings.dropPacket, settings.secureTCP].contains {
      $0 == .automatic || $0 == .automaticActive
    }
  }

  /// Looks at what is left; once a second.
  /// - Parameters:
  ///   - availablePages: of memory, free or in buffers; nil when it is not known.
  ///   - thresholdPages: `amemthresh`.
  ///   - tableFill: how much of the connection table is in use, 0 to 1.
  mutating func look(availablePages: UInt64?, thresholdPages: UInt32, tableFill: Double) {
    // The closer to nothing left, the more is dropped: threshold / (threshold - available).
    let missingPages = availablePages.map { Int64(thresholdPages) - Int64(clamping: $0) } ?? 0
    let missingRoom = tableFill - (1 - AutomaticDefence.reserve)
    let byMemory = missingPages > 0 ? UInt32(clamping: Int64(thresholdPages) / missingPages) : .max
    let byTable = missingRoom > 0 ? UInt32(max(1, AutomaticDefence.reserve / missingRoom).rounded(.down)) : .max
    dropRate = min(byMemory, byTable)
    shortage =
      missingPages > 0
      ? "free memory is below amemthresh (\(thresholdPages) pages)"
      : missingRoom > 0 ? "the connection table is nearly full" : nil
  }

  /// The settings as workers shall see them now.
  func effective(_ settings: IPVSSettings) -> IPVSSettings {
    func mode(_ set: IPVSSettings.Defence) -> IPVSSettings.Defence {
      set == .automatic || set == .automaticActive ? (shortage == nil ? .automatic : .automaticActive) : set
    }
    var settings = settings
    settings.dropEntry = mode(settings.dropEntry)
    settings.secureTCP = mode(settings.secureTCP)
    settings.dropPacket = mode(settings.dropPacket)
    if settings.dropPacket == .automaticActive { settings.dropRate = dropRate }
    return settings
  }
}
