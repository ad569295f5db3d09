import Config
import Dataplane

/// The director takes over another configuration while it runs: by SIGHUP, or because `lbd reload` asks.
///
/// A file with an error is refused whole, and what was in force stays so. What is taken over becomes one snapshot,
/// however much it is.
extension Director {
  /// What came of a reload.
  enum ReloadResult {
    case done(Reload)
    /// The configuration, or what would come of it, is not to be had.
    case refused(any Error)
  }

  /// SIGHUP: reads the configuration again; all of it is taken over, or nothing.
  func reload() { _ = reload(ReloadQuestion()) { report($0) } }

  /// Reads the configuration again.
  /// - Parameter report: is called with what is wrong with the file.
  func reload(_ question: ReloadQuestion, report: (Diagnostic) -> Void) -> ReloadResult {
    if !question.isDryRun { manager.reloading() }
    defer { if !question.isDryRun { manager.ready(status: "forwarding") } }
    do {
      let reload = try prepare(question, report: report)
      if !question.isDryRun { takeOver(reload) }
      return .done(reload)
    } catch {
      if !question.isDryRun { log.error("reload refused, the old configuration stays: \(error)") }
      return .refused(error)
    }
  }

  private func prepare(_ question: ReloadQuestion, report: (Diagnostic) -> Void) throws -> Reload {
    let own = options.configuration
    let file = question.path.map { ConfigurationFile(path: $0, configID: own.configID) } ?? own
    let new = try file.load(for: .reload, report: report)
    try Director.check(new, options)
    let reload = try Reload(
      new, former: configuration, known: watch?.health, over: administration, isWhole: question.isWhole,
      keepsRules: options.statePath != nil)
    try assembler(of: reload.administration.services, new).checkMarks(isXDP: ports.kind == .xdp)
    return reload
  }

  private func takeOver(_ reload: Reload) {
    administration = reload.administration
    configuration = reload.configuration
    publish()
    replaceHealth(by: reload)
    for note in reload.notes { log.warning("\(note)") }
    log.info("reloaded: \(administration.services.listed.count) services (\(reload.plan.summary))")
  }

  // MARK: - lbd reload

  func reload(_ question: ReloadQuestion, _ rights: AdminRights) -> AdminAnswer {
    if let refusal = Director.refusal(of: question, rights) { return AdminAnswer(refusal) }
    var answer = AdminAnswer()
    let result = reload(question) { diagnostic in
      if !question.isDryRun { report(diagnostic) }
      answer.append(error: IpvsadmError("\(diagnostic)", exitCode: 0))
    }
    switch result {
    case .refused(let error):
      answer.append(error: IpvsadmError("reload refused: \(error)", exitCode: 0))
      answer.bytes += AdminFrame.encode(exitCode: ReloadQuestion.refusedExitCode)
    case .done(let reload):
      let path = question.path ?? options.configuration.path
      if question.isDryRun {
        answer.append(reload.plan.lines.map { $0 + "\n" }.joined())
        for note in reload.plan.unspoken { answer.append(error: IpvsadmError("besides: \(note)", exitCode: 0)) }
      } else {
        answer.append("\(path): taken over: \(reload.plan.summary)\n")
      }
      for note in reload.notes { answer.append(error: IpvsadmError("note: \(note)", exitCode: 0)) }
      answer.bytes += AdminFrame.encode(exitCode: 0)
    }
    return answer
  }

  /// Whoever may change rules may have the file read that lbd was started with; another file only who could read whatever
  /// lbd can.
  private static func refusal(of question: ReloadQuestion, _ rights: AdminRights) -> IpvsadmError? {
    if question.path != nil, rights < .all {
      return IpvsadmError("Permission denied (root may have other files compared)", exitCode: 255)
    }
    guard rights >= .change else {
      return IpvsadmError(
        "Permission denied (root and group \(AdminRights.changingGroup) may reload)", exitCode: 255)
    }
    return nil
  }
}
