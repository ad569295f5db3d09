/// Something that people and programs are told of: what has happened, to what, and who is to know.
public struct Notice: Hashable, Sendable {
  /// What it is about. All notices about one subject are told in the order in which they came.
  public enum Subject: Hashable, Sendable {
    /// A real server of a virtual server, by the names that logs have: `[10.0.0.1]:tcp:80`, `[10.0.0.100]:tcp:80`.
    case realServer(String, of: String)
    /// A virtual server: `[10.0.0.100]:tcp:80`, `[GROUP]:80`, `FWM 5`.
    case virtualServer(String)
    /// An instance of VRRP, by its name.
    case instance(String)
    /// A synchronisation group of VRRP, by its name.
    case group(String)
  }

  /// What has happened.
  public enum Event: Hashable, Sendable {
    /// A real server serves again, or a virtual server has its quorum.
    case up
    /// A real server no longer serves, or a virtual server has lost its quorum.
    case down
    /// One checker of a real server has changed its mind, but the server's own state has not: for mail alone.
    case checker(isUp: Bool)
    /// An instance has another state, or a group has.
    case state(VRRPState, priority: Int)
    /// A master has heard a router of lower priority.
    case masterHeardLowerPriority(priority: Int)
    /// The effective priority of a master or backup has changed: for FIFOs alone.
    case priority(VRRPState, Int)
  }

  /// States of VRRP that are told.
  public enum VRRPState: String, Hashable, Sendable, CaseIterable {
    /// It has the addresses.
    case master = "MASTER"
    /// Another one has.
    case backup = "BACKUP"
    /// It cannot have them.
    case fault = "FAULT"
    /// lbd ends.
    case stop = "STOP"
    /// The configuration no longer has it.
    case deleted = "DELETED"
  }

  /// What it is about.
  public var subject: Subject
  /// What has happened.
  public var event: Event
  /// One more line for the mail: which check it was, how many serve. nil is what the event itself says.
  public var detail: String?
  /// The subject's scripts, by the keywords of the configuration: `notify_up`, `quorum_down`, `notify_master`, `notify`.
  public var scripts: [String: NotifyScript]
  /// Whether there is mail about it.
  public var sendsMail: Bool
  /// Whether FIFOs have a line about it.
  public var tellsFIFOs: Bool

  /// A notice for FIFOs, until it is said for whom else.
  public init(
    _ subject: Subject, _ event: Event, detail: String? = nil, scripts: [String: NotifyScript] = [:],
    sendsMail: Bool = false, tellsFIFOs: Bool = true
  ) {
    self.subject = subject
    self.event = event
    self.detail = detail
    self.scripts = scripts
    self.sendsMail = sendsMail
    self.tellsFIFOs = tellsFIFOs
  }
}

/// A program that is told: by path or by a name in `PATH`, with its arguments, and who runs it.
public struct NotifyScript: Hashable, Sendable, CustomStringConvertible {
  /// The program and its arguments.
  public var words: [String]
  /// nil is `script_user`.
  public var user: String?
  /// nil is the user's own.
  public var group: String?

  /// A program.
  public init(words: [String], user: String? = nil, group: String? = nil) {
    self.words = words
    self.user = user
    self.group = group
  }

  /// The words, separated by blanks.
  public var description: String { words.joined(separator: " ") }

  /// The same with more arguments behind its own.
  func appending(_ arguments: [String]) -> NotifyScript {
    NotifyScript(words: words + arguments, user: user, group: group)
  }
}
