/// MISC_CHECK: a script and what its end means.
public struct ScriptDefinition: Hashable, Sendable {
  /// `misc_path`: the program and its arguments.
  public var words: [String]
  /// `misc_timeout`: how long it may run.
  public var timeout: Duration
  /// `misc_dynamic`: exit codes from 2 on are weights.
  public var isDynamic = false
  /// As whom it runs; nil is the configuration's `script_user`.
  public var user: String?
  /// With which group; nil is the user's own.
  public var group: String?

  /// A script that may run for `timeout`.
  public init(words: [String], timeout: Duration) {
    self.words = words
    self.timeout = timeout
  }
}
