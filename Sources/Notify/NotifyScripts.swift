/// Which scripts a notice runs, with which arguments.
///
/// Those of one event (`notify_up`, `quorum_down`, `notify_master`) have the arguments that the configuration gives them. `notify`,
/// which hears of all states of an instance or group, has four more: `INSTANCE` or `GROUP`, the name, the state, the effective
/// priority (0 for a group). Nothing is quoted, for no shell reads it.
enum NotifyScripts {
  /// The scripts of a notice, in the order in which they run.
  static func calls(for notice: Notice) -> [NotifyScript] {
    var calls: [NotifyScript] = []
    if let keyword = keyword(for: notice), let script = notice.scripts[keyword] { calls.append(script) }
    if case .state(let state, _) = notice.event, notice.isVRRP, let script = notice.scripts["notify"] {
      calls.append(script.appending([notice.kind, notice.name, state.rawValue, "\(notice.priority)"]))
    }
    return calls.filter { $0.words.first?.isEmpty == false }
  }

  /// The keyword of the script for this event alone.
  private static func keyword(for notice: Notice) -> String? {
    switch (notice.subject, notice.event) {
    case (.realServer, .up): "notify_up"
    case (.realServer, .down): "notify_down"
    case (.virtualServer, .up): "quorum_up"
    case (.virtualServer, .down): "quorum_down"
    case (.instance, .state(let state, _)), (.group, .state(let state, _)): "notify_\(state.rawValue.lowercased())"
    case (.instance, .masterHeardLowerPriority), (.group, .masterHeardLowerPriority): "notify_master_rx_lower_pri"
    default: nil
    }
  }
}
