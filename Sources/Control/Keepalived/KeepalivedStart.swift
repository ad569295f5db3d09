import Config
import Glibc
import Kernel
import Logging

/// From a command line of keepalived to the running service.
public enum KeepalivedStart {
  /// Reads the configuration, opens the log, and runs the daemon until it ends. The process must have one thread.
  /// - Parameter words: the command line as it was typed, for the log.
  /// - Returns: what to end with.
  public static func run(_ commandLine: KeepalivedCommandLine, words: [String]) -> KeepalivedExit {
    if let mask = commandLine.umask { umask(mask) }
    if commandLine.makesCore { allowCore() }
    // In the background the working folder is another one.
    let path = commandLine.isForeground ? commandLine.path : KeepalivedService.absolute(commandLine.path)
    let file = ConfigurationFile(
      path: path, configID: commandLine.configID, needsAllFiles: commandLine.needsAllFiles)
    let reading = Result { try file.read() }
    let process = (try? reading.get())?.configuration.process ?? ProcessSettings()
    let namespace = commandLine.namespace ?? process.namespace
    let identity = ["Keepalived", namespace, process.instance].compactMap(\.self).joined(separator: "_")
    do {
      let log = try KeepalivedLog(commandLine.log, identity: identity).logger(isDetailed: commandLine.log.isDetailed)
      greet(log, commandLine, words, path: path)
      let result: KeepalivedExit
      switch reading {
      case .failure(let error):
        log.error("Config files missing '\(path)': \(error)")
        KeepalivedService.tell(error, commandLine)
        result = .missingFile
      case .success(let reading):
        return try start(commandLine, file, reading, namespace: namespace, log)
      }
      log.info("Stopped \(KeepalivedUsage.version)")
      return result
    } catch {
      KeepalivedService.tell(error, commandLine)
      return KeepalivedExit(error)
    }
  }

  private static func start(
    _ commandLine: KeepalivedCommandLine, _ file: ConfigurationFile, _ reading: ConfigurationReading,
    namespace: String?, _ log: Logger
  ) throws -> KeepalivedExit {
    do {
      // The director reads the file again and reports what is in it; what would keep it from starting is said now,
      // while whoever called still waits.
      if (reading.worst ?? .note) >= .error { _ = try file.load { log.log(level: $0.level, "\($0)") } }
      if let namespace {
        guard ProcessSettings.isName(namespace) else {
          throw SystemError("enter network namespace \(namespace)", errno: EINVAL, remedy: "that is no name")
        }
        try NetworkNamespace.enter(namespace)
      }
    } catch {
      log.error("\(error)")
      KeepalivedService.tell(error, commandLine)
      log.info("Stopped \(KeepalivedUsage.version)")
      return KeepalivedExit(error)
    }
    if commandLine.dumpsConfiguration {
      for line in reading.explanation.text.split(separator: "\n") { log.info("\(line)") }
    }
    let process = reading.configuration.process
    let paths = KeepalivedPaths(instance: process.instance, namespace: namespace, usesFolder: process.usesFolder)
    let service = KeepalivedService(commandLine, file: file, reading.configuration, paths: paths, log: log)
    return service.run()
  }

  private static func greet(
    _ log: Logger, _ commandLine: KeepalivedCommandLine, _ words: [String], path: String
  ) {
    log.info("Starting \(KeepalivedUsage.version)")
    var name = utsname()
    if uname(&name) == 0 {
      let system = withUnsafeBytes(of: &name.sysname) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      let release = withUnsafeBytes(of: &name.release) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      log.info("Running on \(system) \(release)")
    }
    log.info("Command line: \(words.map { "'\($0)'" }.joined(separator: " "))")
    log.info("Configuration file \(path)")
    for option in commandLine.withoutEffect { log.info("\(option.option) has no effect: \(option.reason)") }
  }

  private static func allowCore() {
    var limit = rlimit(rlim_cur: rlim_t.max, rlim_max: rlim_t.max)
    if setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit) == 0 { return }
    // Without the privilege to raise it, as much as may be had.
    guard getrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &limit)
  }
}
