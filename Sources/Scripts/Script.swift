/// A program of the configuration: what it is called with, and who runs it. No shell is involved unless it is the program.
public struct Script: Hashable, Sendable, CustomStringConvertible {
  /// The program, by path or by a name that is looked for in `PATH`, and its arguments.
  public var words: [String]
  /// The user; nil is `script_user`.
  public var user: String?
  /// The group; nil is the user's own, or that of `script_user`.
  public var group: String?

  /// A program.
  public init(words: [String], user: String? = nil, group: String? = nil) {
    self.words = words
    self.user = user
    self.group = group
  }

  /// The words with single quotes where they need them.
  public var description: String {
    words.map { $0.isEmpty || $0.contains(where: \.isWhitespace) ? "'\($0)'" : $0 }.joined(separator: " ")
  }
}

/// What `global_defs` says of all scripts.
public struct ScriptRules: Hashable, Sendable {
  /// `script_user`; nil is `keepalived_script` if there is such a user, else the process's own.
  public var user: String?
  /// Its group; nil is the user's own.
  public var group: String?
  /// `enable_script_security`: what others than root can change does not run as root.
  public var isSecure: Bool

  /// The defaults.
  public init(user: String? = nil, group: String? = nil, isSecure: Bool = false) {
    self.user = user
    self.group = group
    self.isSecure = isSecure
  }
}
