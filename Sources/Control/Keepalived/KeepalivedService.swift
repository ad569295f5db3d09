import Config
import Glibc
import Kernel
import Logging

/// The daemon under keepalived's name: a director with keepalived's log, files and signals.
///
/// keepalived is a parent with a child each for VRRP and for services; this is one process, so every file with a number has
/// the same one. While nothing is to be balanced there is no director, only somebody who waits for signals: a reload may
/// bring work.
public final class KeepalivedService {
  private let commandLine: KeepalivedCommandLine
  private let log: Logger
  private let file: ConfigurationFile
  private let paths: KeepalivedPaths
  /// Those that are named, from the root: the working folder changes.
  private let named: KeepalivedCommandLine.PidFiles
  private let dumps: KeepalivedDumps
  private var configuration: Configuration
  private var daemon: Daemon?
  private var written: [PidFile] = []

  /// - Parameters:
  ///   - file: was read already; this is what came of it.
  init(
    _ commandLine: KeepalivedCommandLine, file: ConfigurationFile, _ configuration: Configuration,
    paths: KeepalivedPaths, log: Logger
  ) {
    var named = commandLine.pidFiles
    named.parent = named.parent.map(KeepalivedService.absolute)
    named.vrrp = named.vrrp.map(KeepalivedService.absolute)
    named.checkers = named.checkers.map(KeepalivedService.absolute)
    self.named = named
    self.commandLine = commandLine
    self.file = file
    self.configuration = configuration
    self.paths = paths
    self.log = log
    dumps = KeepalivedDumps(log: log)
  }

  /// Runs until it is told to end.
  func run() -> KeepalivedExit {
    if let holder = pidFiles(all: true).compactMap(\.holder).first {
      log.error("daemon is already running (process \(holder))")
      return .ok
    }
    guard !commandLine.isForeground else { return serve() }
    do {
      daemon = try Daemon.detach()
      return try Daemon.onNewThread { self.serve() }
    } catch {
      log.error("\(error)")
      KeepalivedService.tell(error, commandLine)
      return KeepalivedExit(error)
    }
  }

  private func serve() -> KeepalivedExit {
    var result = KeepalivedExit.ok
    do {
      try writePidFiles()
      // Signals wait from here on, whoever reads them.
      let signals = try SignalDescriptor(SignalDescriptor.usual + KeepalivedSignals.own)
      var isEnding = false
      while !isEnding {
        if wantsDirector {
          try Director(options, log: log, companion: self).run()
          isEnding = true
        } else {
          isEnding = wait(for: signals)
        }
      }
    } catch {
      result = KeepalivedExit(error)
      log.error("\(error)")
      KeepalivedService.tell(error, commandLine)
    }
    for file in written { file.remove() }
    log.info("Stopped \(KeepalivedUsage.version)")
    daemon.take()?.announce(result.rawValue)
    return result
  }

  /// Says on standard error what has ended the program, unless the log goes there.
  static func tell(_ error: any Error, _ commandLine: KeepalivedCommandLine) {
    guard !commandLine.log.usesConsole else { return }
    let line = Array("keepalived: \(error)\n".utf8)
    _ = write(STDERR_FILENO, line, line.count)
  }

  // MARK: - What is to run

  private var runsServices: Bool { commandLine.parts.contains(.services) }

  private var runsVRRP: Bool { commandLine.parts.contains(.vrrp) && !configuration.vrrp.instances.isEmpty }

  private var wantsDirector: Bool {
    runsServices && (!configuration.services.isEmpty || !configuration.settings.interfaceNames.isEmpty || runsVRRP)
  }

  private var options: Director.Options {
    var options = Director.Options(configuration: file)
    let socket = getenv("LBD_SOCKET").map { String(cString: $0) }
    options.socketPath = socket == "none" ? nil : socket ?? paths.socket
    return options
  }

  /// What of the configuration this version leaves undone.
  private func noteWhatDoesNotRun() {
    if runsVRRP {
      for instance in configuration.vrrp.instances {
        log.warning(
          "(\(instance.name)) VRRP is not run by this version: the instance stays in INIT, its addresses are not set")
      }
    }
    if !runsServices, !configuration.services.isEmpty {
      log.warning("virtual servers are not balanced, as -P says: \(configuration.services.count) of them")
    }
    if !wantsDirector { log.warning("Warning - keepalived has no configuration to run") }
  }

  // MARK: - Waiting without a director

  /// - Returns: true when the program shall end, false when there is something to run.
  private func wait(for signals: borrowing SignalDescriptor) -> Bool {
    isUp()
    ServiceManager().ready(status: "nothing to run")
    while true {
      _ = Epoll.waitReadable(signals.descriptor, timeoutMilliseconds: -1)
      while let signal = signals.next() {
        if let kind = KeepalivedSignals.dump(signal) {
          dumps.write(kind, configuration, nil)
        } else if signal == SIGHUP {
          reload()
          if wantsDirector { return false }
        } else {
          log.info("Stopping")
          ServiceManager().stopping()
          return true
        }
      }
    }
  }

  private func reload() {
    log.info("Reloading ...")
    do {
      configuration = try file.load(for: .reload) { log.log(level: $0.level, "\($0)") }
      hasReloaded()
    } catch {
      log.error("reload refused, the old configuration stays: \(error)")
    }
  }

  private func hasReloaded() {
    do {
      try writePidFiles()
    } catch {
      log.error("\(error)")
    }
    log.info("Reload complete")
    noteWhatDoesNotRun()
  }

  /// Whoever started the program may go on.
  private func isUp() {
    log.info("Startup complete")
    noteWhatDoesNotRun()
    daemon.take()?.announce(0)
  }

  // MARK: - Files with numbers

  /// The parent's, and those of the children that keepalived would have.
  private func pidFiles(all: Bool) -> [PidFile] {
    var files = [PidFile(path: named.parent ?? paths.parentPid)]
    if all || runsVRRP { files.append(PidFile(path: named.vrrp ?? paths.vrrpPid)) }
    if all || runsServices && !configuration.services.isEmpty {
      files.append(PidFile(path: named.checkers ?? paths.checkersPid))
    }
    return files
  }

  /// Writes those that apply now, removes those that no longer do.
  private func writePidFiles() throws {
    let wanted = pidFiles(all: false)
    for file in written where !wanted.contains(file) { file.remove() }
    written.removeAll { !wanted.contains($0) }
    if paths.folder != "/run" { KeepalivedService.makeFolder(paths.folder) }
    for file in wanted where !written.contains(file) {
      try file.write()
      written.append(file)
    }
  }

  /// A path from the root, as long as the working folder is the caller's.
  static func absolute(_ path: String) -> String {
    guard !path.hasPrefix("/"), let folder = getcwd(nil, 0) else { return path }
    defer { free(folder) }
    return String(cString: folder) + "/" + path
  }

  /// The folder, and the one it is in. If that does not work out, writing into it says why.
  private static func makeFolder(_ path: String) {
    if let end = path.dropFirst().lastIndex(of: "/") { mkdir(String(path[..<end]), 0o755) }
    mkdir(path, 0o755)
  }
}

extension KeepalivedService: DirectorCompanion {
  /// keepalived's own.
  public var signals: [Int32] { KeepalivedSignals.own }

  /// The parent may end.
  public func isReady(_ director: Director) {
    configuration = director.configuration
    isUp()
  }

  /// Files are keepalived's; a reload is the director's, with keepalived's words around it.
  public func handle(signal: Int32, of director: Director) -> Bool {
    if let kind = KeepalivedSignals.dump(signal) {
      dumps.write(kind, director.configuration, director)
      return true
    }
    guard signal == SIGHUP else {
      log.info("Stopping")
      return false
    }
    log.info("Reloading ...")
    let count = director.configurationCount
    director.reload()
    guard director.configurationCount != count else { return true }
    configuration = director.configuration
    hasReloaded()
    return true
  }
}
