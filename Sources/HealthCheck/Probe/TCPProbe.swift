import NIOCore

/// TCP_CHECK: a connection that comes about is all there is to it; it is closed without a byte.
final class TCPProbe: Probe {
  private let connector: Connector
  private let definition: CheckDefinition
  private var attempt = 0
  private var channel: (any Channel)?
  private var done: ((AttemptResult) -> Void)?

  init(_ definition: CheckDefinition, on loop: any EventLoop, ways: (any CheckWays)? = nil) {
    connector = Connector(loop: loop, ways: ways)
    self.definition = definition
  }

  func begin(page: Int, then done: @escaping (AttemptResult) -> Void) {
    self.done = done
    attempt += 1
    let own = NIOLoopBound((probe: self, attempt: attempt), eventLoop: connector.loop)
    connector.connect(to: definition.target, within: definition.times.connectTimeout) { channel in
      own.value.probe.take(channel, of: own.value.attempt)
    }.assumeIsolated().whenComplete { [self, attempt] result in
      end(attempt, result)
    }
  }

  func cancel() {
    done = nil
    attempt += 1
    channel?.close(promise: nil)
    channel = nil
  }

  private func take(_ channel: any Channel, of attempt: Int) {
    if attempt == self.attempt { self.channel = channel } else { channel.close(promise: nil) }
  }

  private func end(_ attempt: Int, _ result: Result<any Channel, any Error>) {
    if case .success(let channel) = result { channel.close(promise: nil) }
    guard attempt == self.attempt, let done else { return }
    self.done = nil
    channel = nil
    switch result {
    case .success: done(.well())
    case .failure(let error): done(AttemptResult(Connector.checkError(error, definition.target)))
    }
  }
}
