/// What comes of checking a configuration.
public enum ConfigurationVerdict: String, Sendable {
  /// There is nothing to say, or only what needs no change.
  case clean
  /// lbd makes something of it, but not all of it may be what was meant.
  case tolerated
  /// A reload would not take it.
  case refused

  /// From the worst finding.
  public init(_ worst: Diagnostic.Severity?) {
    switch worst {
    case nil, .note: self = .clean
    case .warning: self = .tolerated
    case .fault, .error: self = .refused
    }
  }

  /// What keepalived -t ends with: by default what 2.2.7 does, else what its manual says, which is one less.
  public func exitCode(isCompatible: Bool) -> Int32 {
    switch self {
    case .clean: 0
    case .tolerated: isCompatible ? 4 : 5
    case .refused: isCompatible ? 3 : 4
    }
  }
}
