/// What a configuration says of VRRP, and of what it watches.
public struct VRRPConfiguration: Hashable, Sendable {
  /// In the order of the text.
  public var instances: [VRRPInstance] = []
  /// In the order of the text.
  public var groups: [VRRPSyncGroup] = []
  /// Scripts.
  public var scripts: [TrackedScript] = []
  /// Files, for checkers as well.
  public var files: [TrackedFile] = []
  /// Processes.
  public var processes: [TrackedProcess] = []
  /// BFD sessions, for checkers as well.
  public var sessions: [BFDInstance] = []
  /// How announcements are spaced.
  public var garpGroups: [GARPGroup] = []
  /// How long changes of links must last.
  public var interfaceDelays: [InterfaceDelay] = []
  /// Addresses that stay.
  public var staticAddresses: [VirtualAddress] = []
  /// Routes that stay.
  public var staticRoutes: [VirtualRoute] = []
  /// Rules that stay.
  public var staticRules: [VirtualRule] = []
  /// For static addresses: which instances suffer when one of them is gone.
  public var trackGroups: [String: [String]] = [:]
  /// Interfaces whose link is asked for, not waited for.
  public var polledInterfaces: [String] = []

  /// Nothing.
  public init() {}
}
