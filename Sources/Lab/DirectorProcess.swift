import Glibc

/// The director of a lab: `lbd run` in its namespace, from "ready" to the last report.
final class DirectorProcess {
  private let reportPath: String
  /// Where it can be asked.
  let socketPath: String
  private let process: BackgroundProcess

  /// Starts a director and waits until it forwards.
  init(network: LabNetwork, port: String) throws {
    reportPath = "\(network.plan.folder)/report"
    socketPath = "\(network.plan.folder)/lbd.sock"
    let ports = network.plan.directorPorts.flatMap { ["--interface", $0] }
    process = try BackgroundProcess(
      network.inside(
        network.plan.director,
        [network.executable, "run", "--config", network.configurationPath, "--port", port] + ports
          + ["--report", reportPath, "--socket", socketPath]),
      logPath: "\(network.plan.folder)/director.log")
    let isUp = try Interruption.wait(seconds: 15) { DirectorProcess.saysReady(process.log) || !process.isRunning }
    guard process.isRunning else { throw LabFailure("the director ended at once: \(process.lastLine)") }
    guard isUp else {
      process.stop()
      throw LabFailure("the director is not ready after 15 s: \(process.lastLine)")
    }
  }

  /// The word, not the letters: "address already in use" is no good news.
  static func saysReady(_ log: String) -> Bool {
    log.split { !$0.isLetter }.contains("ready")
  }

  /// Asks for a report and waits for it.
  func report() throws -> DirectorReport {
    unlink(reportPath)
    process.signal(SIGUSR1)
    return try awaitReport()
  }

  /// Ends it the way an operator does; returns its last report.
  func stop() throws -> DirectorReport {
    unlink(reportPath)
    let status = process.stop()
    guard status == 0 else { throw LabFailure("the director ended with \(status): \(process.lastLine)") }
    return try awaitReport()
  }

  /// Ends it the hard way.
  func kill9() {
    process.signal(SIGKILL)
    _ = process.waitForEnd(seconds: 5)
  }

  /// Ends it somehow; for cleaning up.
  func end() { process.stop() }

  private func awaitReport() throws -> DirectorReport {
    var report: DirectorReport?
    // A report lists connections: with a debug build on a busy machine that takes its time.
    _ = try Interruption.wait(seconds: 30) {
      report = TextFile.read(reportPath).flatMap { DirectorReport($0) }
      return report != nil
    }
    guard let report else { throw LabFailure("the director wrote no report within 30 s") }
    return report
  }
}
