import Config
import Dataplane

/// Takes requests apart: one command, or a batch of them, with the rights its sender has.
///
/// A batch is worked through line by line, as ipvsadm does: what is refused is said and the next line follows, but a line
/// that is no command ends it there. With `--atomic` the first fault of either kind takes everything back.
struct AdminDesk {
  /// What has happened to the rules.
  enum Effect {
    case none
    /// Counters, daemons: nothing that workers see.
    case record
    case rules
  }

  func answer(
    to request: AdminRequest, rights: AdminRights, _ administration: inout Administration,
    in place: Administration.Surroundings
  ) -> (answer: AdminAnswer, effect: Effect) {
    var place = place
    place.isMarked = request.takesMarks
    let command: IpvsadmCommand
    do {
      command = try IpvsadmCommand.parse(request.arguments, names: request.names).get()
      try check(command, rights)
    } catch {
      return (AdminAnswer(Administration.answer(to: error)), .none)
    }
    switch command {
    case .restore(let isAtomic):
      return restore(request, isAtomic: isAtomic, &administration, in: place)
    case .list(let listing):
      guard case .connections = listing.format else { break }
      return (connections(listing, administration, in: place), .none)
    default: break
    }
    var answer = AdminAnswer()
    do {
      answer.append(try administration.apply(command, in: place))
      answer.bytes += AdminFrame.encode(exitCode: 0)
      return (answer, AdminDesk.effect(of: command))
    } catch {
      return (AdminAnswer(Administration.answer(to: error)), .none)
    }
  }

  private func check(_ command: IpvsadmCommand, _ rights: AdminRights) throws(IpvsadmError) {
    guard rights >= .change || rights == .ask && command.isQuestion else {
      throw IpvsadmError(
        "Permission denied (root and group \(AdminRights.changingGroup) may change, group \(AdminRights.askingGroup) may "
          + "ask)", exitCode: 255)
    }
  }

  private static func effect(of command: IpvsadmCommand) -> Effect {
    switch command {
    case .zero, .startDaemon, .stopDaemon: .record
    default: command.isQuestion ? .none : .rules
    }
  }

  // MARK: - Batches

  private func restore(
    _ request: AdminRequest, isAtomic: Bool, _ administration: inout Administration,
    in place: Administration.Surroundings
  ) -> (AdminAnswer, Effect) {
    var answer = AdminAnswer()
    var edited = administration
    var effect = Effect.none
    var code: Int32 = 0
    for (number, words) in IpvsadmBatch(request.input).enumerated() {
      let fault = line(words, request.names, &edited, in: place, &answer, &effect)
      code = fault.error?.exitCode ?? 0
      if var error = fault.error {
        if isAtomic { error = IpvsadmError("command \(number + 1): \(error.message)", exitCode: error.exitCode) }
        answer.append(error: error)
        if isAtomic {
          answer.append(error: IpvsadmError("nothing was changed", exitCode: error.exitCode))
          answer.bytes += AdminFrame.encode(exitCode: error.exitCode)
          return (answer, .none)
        }
      }
      if fault.isEnd { break }
    }
    administration = edited
    answer.bytes += AdminFrame.encode(exitCode: code)
    return (answer, effect)
  }

  /// One line.
  /// - Returns: what is wrong, and whether that is the end of the batch.
  private func line(
    _ words: [String], _ names: IpvsadmNames, _ administration: inout Administration,
    in place: Administration.Surroundings, _ answer: inout AdminAnswer, _ effect: inout Effect
  ) -> (error: IpvsadmError?, isEnd: Bool) {
    let command: IpvsadmCommand
    switch IpvsadmCommand.parse(words, names: names) {
    case .failure(let error): return (error, true)
    case .success(.restore): return (IpvsadmError("-R within -R is not understood", exitCode: 2), true)
    case .success(let parsed): command = parsed
    }
    do {
      let text = try administration.apply(command, in: place)
      guard answer.bytes.count + text.utf8.count <= AdminAnswer.byteLimit else {
        return (IpvsadmError("the answer is longer than \(AdminAnswer.byteLimit) bytes", exitCode: 1), true)
      }
      answer.append(text)
    } catch {
      return (Administration.answer(to: error), false)
    }
    switch AdminDesk.effect(of: command) {
    case .rules: effect = .rules
    case .record where effect == .none: effect = .record
    default: break
    }
    return (nil, false)
  }

  // MARK: - Connections

  /// Piece by piece: there may be millions, and who reads them may be slow.
  private func connections(
    _ request: IpvsadmListing, _ administration: Administration, in place: Administration.Surroundings
  ) -> AdminAnswer {
    var listing = administration.listing(in: place)
    listing.isMarked = place.isMarked && !request.isNumeric && !request.isJSON
    var withEngines = false
    if case .connections(let wanted) = request.format { withEngines = wanted }
    let isJSON = request.isJSON
    var answer = AdminAnswer()
    answer.append(isJSON ? ListingJSON.connectionsHead : Listing.connectionsHead(withEngines: withEngines))
    var cursor = ConnectionCursor()
    var isAtEnd = false
    var isFirst = true
    answer.rest = { [listing] in
      guard !isAtEnd else { return nil }
      var text = ""
      isAtEnd = !listing.dataplane.forEachConnection(from: &cursor, atNanoseconds: place.nowNanoseconds) { connection in
        text +=
          isJSON
          ? ListingJSON.connection(connection, isFirst: isFirst)
          : listing.line(of: connection, withEngines: withEngines)
        isFirst = false
      }
      guard isAtEnd else { return AdminAnswer.output(text) }
      return AdminAnswer.output(isJSON ? text + ListingJSON.connectionsEnd : text) + AdminFrame.encode(exitCode: 0)
    }
    return answer
  }
}
