import NIOCore
import NIOSSL

/// HTTP_GET, SSL_GET and SMTP_CHECK: a connection for every attempt, and a conversation over it.
final class ConversationProbe: Probe {
  /// How an attempt is made: new for each.
  struct Plan {
    var conversation: any StreamConversation
    /// Every piece of an answer has its own time; then there is a limit for all of it too.
    var piecesCount: Bool
    var tls: (context: NIOSSLContext, serverName: String?)?
  }

  /// How many times `connect_timeout` an attempt may take whose pieces all have their own time.
  static let overallFactor: Int64 = 3

  private let definition: CheckDefinition
  private let connector: Connector
  private let plan: (Int) throws(CheckError) -> Plan
  private var attempt: StreamAttempt?

  /// - Parameter plan: is given the page's number.
  init(
    _ definition: CheckDefinition, on loop: any EventLoop, ways: (any CheckWays)? = nil,
    plan: @escaping (Int) throws(CheckError) -> Plan
  ) {
    self.definition = definition
    connector = Connector(loop: loop, ways: ways)
    self.plan = plan
  }

  func begin(page: Int, then done: @escaping (AttemptResult) -> Void) {
    let made: Plan
    do throws(CheckError) {
      made = try plan(page)
    } catch {
      return done(AttemptResult(error))
    }
    let wait = TimeAmount(definition.times.connectTimeout)
    let overall = TimeAmount.nanoseconds(
      wait.nanoseconds.multipliedReportingOverflow(by: ConversationProbe.overallFactor).partialValue)
    let limits = StreamAttempt.Limits(
      wait: wait, piecesCount: made.piecesCount,
      end: made.piecesCount && overall.nanoseconds >= wait.nanoseconds ? connector.loop.now + overall : .distantFuture)
    let attempt = StreamAttempt(
      made.conversation, limits: limits, usesTLS: made.tls != nil, on: connector.loop, then: done)
    self.attempt = attempt
    let tls = made.tls
    let own = NIOLoopBound(attempt, eventLoop: connector.loop)
    connector.connect(to: definition.target, within: definition.times.connectTimeout) { channel in
      let pipeline = channel.pipeline.syncOperations
      if let tls {
        try pipeline.addHandler(NIOSSLClientHandler(context: tls.context, serverHostname: tls.serverName))
      }
      try pipeline.addHandler(own.value)
    }.assumeIsolated().whenFailure { [definition] error in
      attempt.fail(Connector.checkError(error, definition.target))
    }
  }

  func cancel() {
    attempt?.cancel()
    attempt = nil
  }
}
