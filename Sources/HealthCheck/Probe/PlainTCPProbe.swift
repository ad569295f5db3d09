/// TCP_CHECK of a target that asks for nothing else than a connection: by the loop's pool.
final class PlainTCPProbe: Probe {
  private let pool: ConnectPool
  private let definition: CheckDefinition
  private var ticket: ConnectPool.Ticket?

  init(_ definition: CheckDefinition, by pool: ConnectPool) {
    self.pool = pool
    self.definition = definition
  }

  func begin(page: Int, then done: @escaping (AttemptResult) -> Void) {
    do throws(CheckError) {
      ticket = try pool.connect(to: definition.target, within: definition.times.connectTimeout) { [weak self] result in
        self?.ticket = nil
        done(result)
      }
    } catch {
      done(AttemptResult(error))
    }
  }

  func cancel() {
    if let ticket { pool.cancel(ticket) }
    ticket = nil
  }
}
