import Glibc
import Wire

/// FTP through the lab: a real server behind NAT, curl before it, data connections opened by either.
///
/// The servers listen on another port than the service, and send from the one below it: what a client sees of both is the
/// VIP's 21 and 20.
struct FTPTransfer {
  let traffic: Traffic

  /// The program that serves; the lab goes without where it is not installed.
  static let server = "vsftpd"

  static var isInstalled: Bool { Command.locate(server) != nil }

  /// Who opens the data connection, and by which words it is agreed on.
  enum Mode: String, CaseIterable {
    case extendedPassive = "EPSV"
    case passive = "PASV"
    case extendedActive = "EPRT"
    case active = "PORT"

    var isActive: Bool { self == .active || self == .extendedActive }

    /// `PASV` and `PORT` know IPv4 only.
    func isFor(_ family: IPAddress.Family) -> Bool {
      family == .ipv4 || self == .extendedPassive || self == .extendedActive
    }

    /// What curl is told. Without a word it would take the announced port but not the address.
    var options: [String] {
      switch self {
      case .extendedPassive: []
      case .passive: ["--disable-epsv", "--no-ftp-skip-pasv-ip"]
      case .extendedActive: ["--ftp-port", "-"]
      case .active: ["--ftp-port", "-", "--disable-eprt"]
      }
    }
  }

  /// The server's configuration: everything as the user that starts it, so that the lab needs no account of its own.
  static func configuration(home: String) -> String {
    """
    background=NO
    listen=NO
    listen_ipv6=YES
    listen_port=\(LabPlan.serverFTPPort)
    connect_from_port_20=YES
    ftp_data_port=\(LabPlan.serverFTPPort - 1)
    run_as_launching_user=YES
    anonymous_enable=YES
    local_enable=NO
    no_anon_password=YES
    anon_root=\(home)
    allow_writeable_chroot=YES
    write_enable=YES
    anon_upload_enable=YES
    secure_chroot_dir=\(home)/empty
    seccomp_sandbox=NO
    xferlog_enable=NO

    """
  }

  /// A listing and the file behind `/download`, over one control connection, in each mode of the kind.
  func downloads(active: Bool) throws -> String {
    let modes = Mode.allCases.filter { $0.isActive == active && $0.isFor(traffic.family) }
    for mode in modes { try download(mode) }
    return modes.map(\.rawValue).joined(separator: ", ")
  }

  private func download(_ mode: Mode) throws {
    let plan = traffic.network.plan
    let (listing, received) = ("\(plan.folder)/listing", "\(plan.folder)/received")
    defer { for path in [listing, received] { unlink(path) } }
    try traffic.transfer(mode.options + ["-o", listing, url(""), "-o", received, url("download")])
    let lines = (TextFile.read(listing) ?? "").split(whereSeparator: \.isNewline)
    guard lines.contains(where: { $0.hasSuffix(" download") }) else {
      throw LabFailure("\(mode.rawValue): the file is not in the listing")
    }
    _ = try traffic.compare(traffic.network.downloadPath, received)
  }

  /// Puts the same file under a fresh name, in one mode of the kind, and compares digests at the server that took it.
  func upload(active: Bool) throws -> String {
    let mode = active ? Mode.extendedActive : .extendedPassive
    return try traffic.upload(named: "ftp-\(traffic.family)-\(mode.rawValue)") {
      try traffic.transfer(mode.options + ["-T", traffic.network.downloadPath, url($0)])
    }
  }

  private func url(_ path: String) -> String {
    let vip = LabPlan.vip(traffic.family)
    return "ftp://\(traffic.family == .ipv4 ? vip : "[\(vip)]")/\(path)"
  }
}
