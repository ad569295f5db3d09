/// What the root of a configuration says of the process that reads it: where it runs, and the names of its files.
public struct ProcessSettings: Hashable, Sendable {
  /// One of several daemons on a host: `instance`.
  public private(set) var instance: String?
  /// The network namespace it runs in: `net_namespace`.
  public private(set) var namespace: String?
  /// Files for numbers of processes have a folder of their own: `use_pid_dir`.
  public private(set) var usesFolder = false

  /// The defaults.
  public init() {}

  mutating func read(_ root: Block, _ diagnostics: inout DiagnosticList) {
    for directive in root.directives where directive.block == nil && !directive.words[0].isQuoted {
      switch directive.keyword {
      case "instance": instance = ProcessSettings.name(directive, &diagnostics) ?? instance
      case "net_namespace": namespace = ProcessSettings.name(directive, &diagnostics) ?? namespace
      case "use_pid_dir": usesFolder = true
      default: break
      }
    }
  }

  /// A name that files can have without ending up elsewhere.
  public static func isName(_ text: String) -> Bool {
    (1...64).contains(text.utf8.count) && !text.hasPrefix(".")
      && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f && $0 != UInt8(ascii: "/") }
  }

  private static func name(_ directive: Directive, _ diagnostics: inout DiagnosticList) -> String? {
    guard let name = directive.text(0, "a name", &diagnostics) else { return nil }
    if isName(name) { return name }
    diagnostics.warning(
      at: directive.position, "\(quoted(name)) cannot be a part of a file's name, '\(directive.keyword)' is ignored",
      remedy: "use letters, digits, - and _")
    return nil
  }
}
