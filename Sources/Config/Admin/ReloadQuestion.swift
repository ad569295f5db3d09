/// `lbd reload`: that a running lbd read its configuration again, or say what that would do.
public struct ReloadQuestion: Hashable, Sendable {
  /// Only says what would be done.
  public var isDryRun = false
  /// Afterwards there is nothing but what the file says, whatever ipvsadm has done since.
  public var isWhole = false
  /// Another file to compare with, from the root; for a dry run only.
  public var path: String?

  /// Exit code of a reload that was refused because of the file, as `lbd check` has it.
  public static let refusedExitCode: Int32 = 4

  /// An ordinary reload.
  public init() {}

  /// From the words of a command line, without `reload`.
  public init(words: [String]) throws(IpvsadmError) {
    for word in words {
      switch word {
      case "--dry-run": isDryRun = true
      case "--reset": isWhole = true
      case _ where word.hasPrefix("/") && path == nil: path = word
      default: throw IpvsadmError("reload: '\(word)' is not understood", exitCode: 2)
      }
    }
    guard path == nil || isDryRun else {
      throw IpvsadmError("reload: only a dry run takes another file than the one lbd runs with", exitCode: 2)
    }
  }

  /// The words that mean this.
  public var words: [String] {
    (isDryRun ? ["--dry-run"] : []) + (isWhole ? ["--reset"] : []) + (path.map { [$0] } ?? [])
  }
}
