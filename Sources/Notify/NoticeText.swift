// Notices in the words of FIFOs and mails: those that people's filters and scripts look for.

extension Notice {
  /// True when it is about VRRP; else it is about services and servers.
  var isVRRP: Bool {
    switch subject {
    case .instance, .group: true
    case .realServer, .virtualServer: false
    }
  }

  /// `VS`, `RS`, `INSTANCE` or `GROUP`.
  var kind: String {
    switch subject {
    case .realServer: "RS"
    case .virtualServer: "VS"
    case .instance: "INSTANCE"
    case .group: "GROUP"
    }
  }

  /// The last word of a virtual or real server's line, the last but one of VRRP's; nil when FIFOs have no line for it.
  var stateWord: String? {
    switch event {
    case .up: isVRRP ? nil : "UP"
    case .down: isVRRP ? nil : "DOWN"
    case .checker: nil
    case .state(let state, _): isVRRP ? state.rawValue : nil
    case .masterHeardLowerPriority: isVRRP ? "MASTER_RX_LOWER_PRI" : nil
    case .priority(let state, _): isVRRP && (state == .master || state == .backup) ? "\(state.rawValue)_PRIORITY" : nil
    }
  }

  /// The effective priority; 0 for a group, which has none.
  var priority: Int {
    if case .group = subject { return 0 }
    switch event {
    case .state(_, let priority), .masterHeardLowerPriority(let priority), .priority(_, let priority): return priority
    case .up, .down, .checker: return 0
    }
  }

  /// The subject's own name.
  var name: String {
    switch subject {
    case .realServer(let name, _), .virtualServer(let name), .instance(let name), .group(let name): name
    }
  }

  /// A line for FIFOs with its end; nil when they are not told of this.
  ///
  ///     INSTANCE "VI_1" MASTER 100
  ///     GROUP "VG_1" BACKUP 0
  ///     VS [10.0.0.100]:tcp:80 UP
  ///     RS [10.0.0.1]:tcp:80 [10.0.0.100]:tcp:80 DOWN
  var line: String? {
    guard let word = stateWord else { return nil }
    let text =
      switch subject {
      case .realServer(let server, let service): "RS \(server) \(service) \(word)"
      case .virtualServer(let service): "VS \(service) \(word)"
      case .instance(let name): "INSTANCE \"\(name)\" \(word) \(priority)"
      case .group(let name): "GROUP \"\(name)\" \(word) \(priority)"
      }
    return text.withoutControls + "\n"
  }

  /// What a mail's subject says behind `[ROUTER_ID] `; nil when there is no mail about this.
  var mailSubject: String? {
    let what: String
    switch event {
    case .up, .checker(isUp: true): what = "UP"
    case .down, .checker(isUp: false): what = "DOWN"
    case .state(.stop, _): what = "Stopping"
    case .state(.deleted, _): what = "Deleted"
    case .state(let state, _): what = "Entering \(state.rawValue) state"
    case .masterHeardLowerPriority, .priority: return nil
    }
    switch (subject, event) {
    case (.realServer(let server, let service), .up), (.realServer(let server, let service), .down),
      (.realServer(let server, let service), .checker):
      return "Realserver \(server) of virtual server \(service) - \(what)"
    case (.virtualServer(let service), .up), (.virtualServer(let service), .down):
      return "Virtualserver \(service) - \(what)"
    case (.instance(let name), .state): return "VRRP Instance \(name) - \(what)"
    case (.group(let name), .state): return "VRRP Group \(name) - \(what)"
    default: return nil
    }
  }

  /// The mail's only line, `=> … <=`.
  var mailBody: String { "=> \(detail ?? ownDetail) <=" }

  /// What the event itself says.
  private var ownDetail: String {
    if case .group = subject, case .state(let state, _) = event, state == .master || state == .backup || state == .fault {
      return "all instances of the group are \(state.rawValue) now"
    }
    switch event {
    case .up:
      if case .virtualServer = subject { return "quorum gained" }
      return "service is up"
    case .down:
      if case .virtualServer = subject { return "quorum lost" }
      return "service is down"
    case .checker(let isUp): return isUp ? "check succeeded on service" : "check failed on service"
    case .state(.master, _): return "VIPs now owned"
    case .state(.backup, _), .state(.fault, _): return "VIPs no longer owned"
    case .state(.stop, _): return "shutting down"
    case .state(.deleted, _): return "no longer configured"
    case .masterHeardLowerPriority, .priority: return "priority \(priority)"
    }
  }
}

extension String {
  /// With a question mark for each control character: a name must not begin another line, or another header.
  var withoutControls: String {
    var text = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      text.append(scalar.properties.generalCategory == .control ? "?" : scalar)
    }
    return String(text)
  }
}
