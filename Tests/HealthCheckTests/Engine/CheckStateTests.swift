import Testing

@testable import HealthCheck

/// Histories of one check: what each attempt's end leads to, in seconds of a clock that only the test moves.
@Suite struct CheckStateTests {
  /// Plays attempts one after the other, each taking no time.
  /// `W` a success, `F` a failure, `N` an attempt that could not be made.
  /// - Returns: a word per attempt: the page, what was told (`+` up, `-` down, `!` first, `.` a reported failure, `?` not
  ///   run), and the seconds to the next one.
  private static func play(_ definition: CheckDefinition, _ results: String) -> String {
    var state = CheckState(definition, atNanoseconds: 0)
    var now: UInt64 = 0
    var words: [String] = []
    for result in results {
      let page = state.page
      let end: AttemptResult =
        switch result {
        case "W": .well()
        case "F": .failed(.connect(111))
        default: .notRun(.cannotRun(step: "open a socket", errno: 24))
        }
      let step = state.take(end, of: definition, begunAt: now, atNanoseconds: now)
      let mark =
        switch step.event {
        case .verdict(let isFirst, _): (state.verdict == .well ? "+" : "-") + (isFirst ? "!" : "")
        case .attempt: "."
        case .notRun: "?"
        default: ""
        }
      words.append((definition.kind.pageCount > 1 ? "p\(page)" : "") + mark + "\((step.due - now) / Samples.second)")
      now = step.due
    }
    return words.joined(separator: " ")
  }

  @Test func theFirstFailureIsFinal() {
    #expect(Self.play(Samples.definition(), "F") == "-!10")
    #expect(Self.play(Samples.definition(.ping), "F") == "-!10")
    #expect(Self.play(Samples.definition(.dns(DNSDefinition())), "F") == "-!10")
    #expect(Self.play(Samples.definition(.script(ScriptDefinition(words: ["x"], timeout: .seconds(1)))), "F") == "-!10")
  }

  @Test func mailServersHaveTheirRetriesAlsoAtFirst() {
    #expect(Self.play(Samples.definition(.smtp(heloName: "x")), "FFF") == "1 1 -!10")
  }

  @Test func anythingThatWorkedIsForgivenItsRetries() {
    #expect(Self.play(Samples.definition(), "WFFFW") == "+!10 1 1 -10 +10")
    #expect(Self.play(Samples.definition(), "WFFWFFW") == "+!10 1 1 10 1 1 10")
  }

  @Test func noRetryMeansTheFirstFailureIsDown() {
    #expect(Self.play(Samples.definition { $0.retry = 0 }, "WFW") == "+!10 -10 +10")
  }

  @Test func aServerThatIsDownIsTriedInSeries() {
    #expect(Self.play(Samples.definition(), "FFFFFFFW") == "-!10 1 1 10 1 1 10 +10")
    #expect(Self.play(Samples.definition(.smtp(heloName: "x")), "FFFFFFF") == "1 1 -!10 1 1 10 1")
  }

  @Test func othersAreTriedOncePerLoop() {
    for kind: CheckKind in [.ping, .udp(UDPDefinition()), .dns(DNSDefinition())] {
      #expect(Self.play(Samples.definition(kind), "WFFFFFW") == "+!10 1 1 -10 10 10 +10")
    }
  }

  @Test func alphaIsDownUntilASuccess() {
    let definition = Samples.definition { $0.alpha = true }
    #expect(CheckState(definition, atNanoseconds: 0).verdict == .failed)
    #expect(Self.play(definition, "W") == "+!10")
    #expect(Self.play(definition, "FFFFW") == "1 1 -!10 1 +10")
  }

  @Test func everyFailureIsToldWhenAsked() {
    #expect(Self.play(Samples.definition { $0.logAllFailures = true }, "WFFFFW") == "+!10 .1 .1 -10 .1 +10")
  }

  @Test func whatCouldNotRunSaysNothing() {
    #expect(Self.play(Samples.definition(), "WFNNFF") == "+!10 1 ?10 10 1 -10")
    #expect(Self.play(Samples.definition(), "NF") == "?10 -!10")
  }

  @Test func pagesAreAskedForInTurn() {
    #expect(Self.play(Samples.definition(Samples.pages(3)), "WWWW") == "p010 p110 p2+!10 p010")
    #expect(Self.play(Samples.definition(Samples.pages(3)), "WFFWW") == "p010 p11 p11 p110 p2+!10")
  }

  @Test func aPageThatFailsIsAskedUntilItIsGoodThenTheRoundBegins() {
    let play = Self.play(Samples.definition(Samples.pages(3)), "WWWWFFFFFWWWW")
    #expect(play == "p010 p110 p2+!10 p010 p11 p11 p1-10 p110 p110 p110 p010 p110 p2+10")
  }

  @Test func theFirstPageIsTheRoundsBegin() {
    #expect(Self.play(Samples.definition(Samples.pages(2)), "FFWW") == "p0-!10 p010 p010 p1+10")
    #expect(Self.play(Samples.definition(Samples.pages(1)), "FFW") == "-!10 10 +10")
  }

  @Test func aRoundThatFailsOnItsWayUpIsStuckThere() {
    #expect(
      Self.play(Samples.definition(Samples.pages(3)), "FWWFWWWW") == "p0-!10 p010 p110 p210 p210 p010 p110 p2+10")
  }

  @Test func pagesOfAServerThatIsDownWaitForTheLongerTime() {
    let definition = Samples.definition(Samples.pages(1)) {
      $0.delayBeforeRetry = .seconds(30)
    }
    #expect(Self.play(definition, "WFFFFW") == "+!10 30 30 -30 30 +10")
  }

  @Test func fastRecoveryHasNoWaitsBetweenPages() {
    let definition = Samples.definition(Samples.pages(3, fastRecovery: true))
    #expect(Self.play(definition, "FFWWWWW") == "p0-!10 p010 p00 p10 p2+10 p010 p110")
  }

  @Test func scriptsCountFromTheirBegin() {
    let definition = Samples.definition(.script(ScriptDefinition(words: ["x"], timeout: .seconds(60))))
    var state = CheckState(definition, atNanoseconds: 0)
    let second = Samples.second
    #expect(state.take(.well(), of: definition, begunAt: second, atNanoseconds: 4 * second).due == 11 * second)
    // One that took longer than its loop runs again at once.
    #expect(state.take(.well(), of: definition, begunAt: 11 * second, atNanoseconds: 40 * second).due == 40 * second)
    let tcp = Samples.definition()
    #expect(state.take(.well(), of: tcp, begunAt: 40 * second, atNanoseconds: 44 * second).due == 54 * second)
  }

  @Test func weightsAreToldWhenTheyChange() {
    let definition = Samples.definition(.script(ScriptDefinition(words: ["x"], timeout: .seconds(1))))
    var state = CheckState(definition, atNanoseconds: 0)
    let events = [nil, .replace(5), .replace(5), .replace(7), nil].map { (weight: CheckWeight?) in
      state.take(.well(weight), of: definition, begunAt: 0, atNanoseconds: 0).event
    }
    #expect(events == [.verdict(isFirst: true, failures: 0), .weight, nil, .weight, .weight])
  }

  @Test func whatAwaitsChangesBeginsAgainAtOnce() {
    let definition = Samples.definition(.file(FileDefinition(path: "/x")))
    #expect(Self.play(definition, "WFFWN") == "+!0 -0 0 +0 ?10")
  }

  @Test func theVerdictKnowsSinceWhen() {
    let definition = Samples.definition()
    var state = CheckState(definition, atNanoseconds: 5)
    _ = state.take(.well(), of: definition, begunAt: 6, atNanoseconds: 7)
    #expect(state.since == 5)
    for time: UInt64 in 8...10 { _ = state.take(.failed(.noData), of: definition, begunAt: time, atNanoseconds: time) }
    #expect(state.since == 10)
    #expect(state.lastError == .noData)
  }

  @Test func timesBeyondTheClockDoNotWrap() {
    let definition = Samples.definition { $0.delayLoop = .seconds(Int64.max) }
    var state = CheckState(definition, atNanoseconds: 0)
    #expect(state.take(.well(), of: definition, begunAt: 5, atNanoseconds: 5).due == .max)
  }
}
