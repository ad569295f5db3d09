import Config
import Glibc
import Kernel
import Logging

/// The files that signals make keepalived write, in `$TMPDIR` or /tmp.
struct KeepalivedDumps {
  private let folder: String
  private let log: Logger

  init(folder: String? = getenv("TMPDIR").map { String(cString: $0) }, log: Logger) {
    self.folder = folder.map { $0.isEmpty ? "/tmp" : $0 } ?? "/tmp"
    self.log = log
  }

  /// keepalived's signals for it, by the names of `--signum`.
  enum Kind: CaseIterable {
    case data, statistics, statisticsAndClear, json

    /// How the log names it.
    var title: String {
      switch self {
      case .data: "Printing VRRP data"
      case .statistics: "Printing VRRP stats"
      case .statisticsAndClear: "Printing and clearing VRRP stats"
      case .json: "Printing VRRP as json"
      }
    }
  }

  /// Writes what is asked for. What programs wait for comes first.
  func write(_ kind: Kind, _ configuration: Configuration, _ director: Director?) {
    log.info("\(kind.title) for process(\(getpid())) on signal")
    switch kind {
    case .data:
      write("keepalived.data", KeepalivedData.data(configuration))
      write("keepalived_check.data", services(configuration, director))
    // There is nothing to clear while VRRP does not run.
    case .statistics, .statisticsAndClear: write("keepalived.stats", KeepalivedData.statistics(configuration))
    case .json:
      write("keepalived.json", KeepalivedJSON.text(configuration))
      guard let director else { return }
      let services = ListingJSON(director.listing, nowNanoseconds: MonotonicClock.nanoseconds()).servicesText
      write("keepalived_check.json", services + "\n")
    }
  }

  /// As configured, then as it is.
  private func services(_ configuration: Configuration, _ director: Director?) -> String {
    let text = KeepalivedServices.data(configuration.services)
    guard let director else { return text }
    let report = Report(listing: director.listing, statistics: director.dataplane.statistics())
    return text + "------< Services in force >------\n" + director.listing.services(banner: false)
      + "------< Outcomes of packets >------\n" + report.outcomes() + report.balance() + "\n"
  }

  private func write(_ name: String, _ text: String) {
    do {
      try PrivateFile.replace("\(folder)/\(name)", with: text)
    } catch {
      log.error("\(error)")
    }
  }
}
