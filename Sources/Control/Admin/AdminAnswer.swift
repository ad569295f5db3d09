import Config

/// What lbd says to a request: frames, and for listings that are too long to be held at once a source of further ones.
struct AdminAnswer {
  /// Complete frames.
  var bytes: [UInt8] = []
  /// Called for more, whenever what there was has been sent, until it has nothing more to give.
  var rest: (() -> [UInt8]?)?

  /// More than this no answer holds in memory.
  static let byteLimit = 64 << 20

  init() {}

  /// An error and its exit code.
  init(_ error: IpvsadmError) {
    append(error: error)
    bytes += AdminFrame.encode(exitCode: error.exitCode)
  }

  /// For standard output.
  mutating func append(_ text: String) { bytes += AdminAnswer.output(text) }

  /// A line for standard error.
  mutating func append(error: IpvsadmError) {
    bytes += AdminFrame.encode(.error, Array("\(error.message)\n".utf8))
  }

  /// A text in as many frames as it takes.
  static func output(_ text: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      bytes += AdminFrame.encode(.output, rest.prefix(AdminFrame.answerByteLimit))
      rest = rest.dropFirst(AdminFrame.answerByteLimit)
    }
    return bytes
  }
}
