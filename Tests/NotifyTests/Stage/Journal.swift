import Logging
import Synchronization

/// A log that remembers.
final class Journal: Sendable {
  private let entries = Mutex<[String]>([])

  /// `warning: FIFO /run/x: it is full`, in order.
  var lines: [String] { entries.withLock { $0 } }

  /// Those that contain these words.
  func lines(with words: String) -> [String] { lines.filter { $0.contains(words) } }

  var logger: Logger {
    Logger(label: "test") { [self] _ in Handler(journal: self) }
  }

  private func add(_ line: String) { entries.withLock { $0.append(line) } }

  private struct Handler: LogHandler {
    let journal: Journal
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { journal.add("\(event.level): \(event.message)") }
  }
}
