import NIOCore

/// Who is told, and how: what `global_defs` says of it.
public struct NotifierSettings: Hashable, Sendable {
  /// Mail.
  public var mail = Mail()
  /// A pipe for everything; nil is none.
  public var fifo: FIFO?
  /// A pipe for VRRP.
  public var vrrpFIFO: FIFO?
  /// A pipe for services and servers.
  public var lvsFIFO: FIFO?
  /// How long a script may take.
  public var scriptTimeLimit = TimeAmount.seconds(300)

  /// Nobody is told.
  public init() {}

  /// Mail.
  public struct Mail: Hashable, Sendable {
    /// `notification_email`.
    public var recipients: [String] = []
    /// `notification_email_from`; nil is the process's user at this host.
    public var sender: String?
    /// `smtp_server`, by name or address.
    public var server: String?
    /// Its port.
    public var port = 25
    /// `smtp_helo_name`; nil is the host's name.
    public var heloName: String?
    /// `smtp_connect_timeout`: for connecting, and for each answer.
    public var connectTimeout = TimeAmount.seconds(30)
    /// `router_id`, which subjects begin with; nil is the host's name.
    public var routerID: String?
    /// `no_email_faults`.
    public var omitsFaults = false
    /// `no_checker_emails`.
    public var omitsCheckers = false

    /// None is sent.
    public init() {}

    /// True when there is somebody to send to, and something to send by.
    public var isUsable: Bool { server?.isEmpty == false && !recipients.isEmpty }
  }

  /// A pipe with a name.
  public struct FIFO: Hashable, Sendable {
    /// Where it is.
    public var path: String
    /// Whose it is when lbd makes it; nil is the process's user.
    public var user: String?
    /// Whose group; nil is the user's.
    public var group: String?
    /// What reads it, started with the path as its last argument.
    public var script: NotifyScript?

    /// A pipe without a reader of its own.
    public init(path: String, user: String? = nil, group: String? = nil, script: NotifyScript? = nil) {
      self.path = path
      self.user = user
      self.group = group
      self.script = script
    }
  }
}

/// What has been told, and what has not.
public struct NotifierNumbers: Hashable, Sendable {
  /// Lines that pipes have taken.
  public var linesWritten = 0
  /// Lines that they have not: full, or not to be had.
  public var linesLost = 0
  /// Scripts that have been run.
  public var scriptsRun = 0
  /// Scripts that have not been started, or have failed.
  public var scriptsFailed = 0
  /// Scripts that were dropped because too many waited.
  public var scriptsLost = 0
  /// Mails that a server has taken.
  public var mailsSent = 0
  /// Mails that were given up, or dropped because too many waited.
  public var mailsLost = 0

  /// None yet.
  public init() {}
}
