/// Where keepalived's files are, by its own names (2.2.7, as Debian builds it).
public struct KeepalivedPaths: Hashable, Sendable {
  /// The number of the process.
  public let parentPid: String
  /// The same again, while instances of VRRP are configured.
  public let vrrpPid: String
  /// The same again, while there are services.
  public let checkersPid: String
  /// Where ipvsadm finds this daemon, unless it is told otherwise.
  public let socket: String
  /// The folder all of them are in.
  public let folder: String

  /// The usual places, under `root`.
  /// - Parameters:
  ///   - instance: the `instance` of the configuration; several daemons on one host have one each.
  ///   - namespace: the network namespace.
  ///   - usesFolder: true for `use_pid_dir`.
  public init(instance: String? = nil, namespace: String? = nil, usesFolder: Bool = false, root: String = "/run") {
    let own = namespace.map { "\(root)/keepalived/keepalived_\($0)" }
    folder = own ?? (usesFolder || instance != nil ? "\(root)/keepalived" : root)
    let name = instance.map { "_\($0)" } ?? ""
    let suffix = "\(name).pid"
    socket = "\(folder)/lbd\(name).sock"
    parentPid = "\(folder)/keepalived\(suffix)"
    vrrpPid = "\(folder)/vrrp\(suffix)"
    checkersPid = "\(folder)/checkers\(suffix)"
  }
}
