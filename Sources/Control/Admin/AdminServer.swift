import Config
import Glibc
import Kernel
import Logging

/// The socket that `ipvsadm` speaks to.
///
/// It lives in control's loop, on control's core: requests change what only control may change, and the workers do not know of
/// it. Every descriptor is non-blocking and everything held for a client is bounded, so a client that is slow, silent or
/// malicious holds up nobody: requests have a deadline, a reader that stands still has a longer one (someone may be paging
/// through a listing) and gives way to others before that.
final class AdminServer {
  /// Carries out a request.
  typealias Handler = (AdminRequest, AdminRights) -> AdminAnswer

  private let path: String
  private let epoll: Epoll
  private let listener: FileDescriptor
  private let handler: Handler
  private let log: Logger
  private let groups: (changing: UInt32?, asking: UInt32?)
  private var sessions: [UInt64: AdminSession] = [:]
  private var nextToken = AdminServer.listenerToken + 1
  private var second = 0

  private static let listenerToken: UInt64 = 0
  private static let sessionLimit = 32
  /// Of those who may only ask, so that they never keep out who has to change something.
  private static let askingLimit = 16
  private static let requestSeconds = 10
  private static let answerSeconds = 600
  /// A client that has stood still for this long makes room for a new one.
  private static let patienceSeconds = 5

  /// Listens at `path`.
  init(path: String, log: Logger, handler: @escaping Handler) throws {
    self.path = path
    self.handler = handler
    self.log = log
    groups = (
      AdminRights.group(named: AdminRights.changingGroup), AdminRights.group(named: AdminRights.askingGroup)
    )
    epoll = try Epoll()
    listener = try LocalSocket.listen(at: path)
    if !LocalSocket.admit(groups.changing, groups.asking, at: path) {
      log.warning("\(path): not open to the groups \(AdminRights.changingGroup) and \(AdminRights.askingGroup)")
    }
    try epoll.add(listener.number, events: .readable, token: AdminServer.listenerToken)
  }

  deinit { unlink(path) }

  /// Readable when `serve` has something to do.
  var descriptor: Int32 { epoll.descriptor }

  /// Does what can be done now, a bounded amount of it.
  func serve() {
    epoll.wait(timeoutMilliseconds: 0) { ready in
      if ready.token == AdminServer.listenerToken { return accept() }
      guard let session = sessions[ready.token] else { return }
      switch session.need {
      case .reading: read(session, ready.token)
      case .writing: session.write(second: second)
      case .nothing: break
      }
      if session.need == .nothing || ready.events.contains(.error) { sessions[ready.token] = nil }
    }
  }

  /// Lets deadlines pass.
  func everySecond() {
    second += 1
    for (token, session) in sessions {
      let limit = session.need == .reading ? AdminServer.requestSeconds : AdminServer.answerSeconds
      if second - session.movedAt > limit { sessions[token] = nil }
    }
  }

  private func accept() {
    // One at a time: the loop comes back for the others.
    guard let file = LocalSocket.accept(listener.number) else { return }
    guard let peer = LocalSocket.peer(of: file.number) else { return }
    let rights = AdminRights(peer, own: geteuid(), changing: groups.changing, asking: groups.asking)
    makeRoom(for: rights)
    let isFull =
      sessions.count >= AdminServer.sessionLimit
      || rights < .change && sessions.values.filter { $0.rights < .change }.count >= AdminServer.askingLimit
    let session = AdminSession(file, rights: rights, second: second)
    if isFull {
      session.begin(AdminAnswer(IpvsadmError("lbd is busy with other clients, try again", exitCode: 255)))
      session.write(second: second)
      return
    }
    let token = nextToken
    nextToken += 1
    do {
      try epoll.add(session.descriptor, events: .readable, token: token)
      sessions[token] = session
    } catch {
      log.error("\(error)")
    }
  }

  /// Whoever has stood still for longest gives way.
  private func makeRoom(for rights: AdminRights) {
    let rivals = sessions.filter { rights >= .change || $0.value.rights < .change }
    let limit = rights >= .change ? AdminServer.sessionLimit : AdminServer.askingLimit
    guard rivals.count >= limit, let slowest = rivals.min(by: { $0.value.movedAt < $1.value.movedAt }),
      second - slowest.value.movedAt >= AdminServer.patienceSeconds
    else { return }
    sessions[slowest.key] = nil
  }

  private func read(_ session: AdminSession, _ token: UInt64) {
    do throws(AdminFault) {
      guard let request = try session.read(second: second) else { return }
      session.begin(handler(request, session.rights))
    } catch {
      session.begin(AdminAnswer(IpvsadmError("lbd: \(error)", exitCode: 255)))
    }
    do {
      try epoll.modify(session.descriptor, events: .writable, token: token)
    } catch {
      log.error("\(error)")
      sessions[token] = nil
    }
    session.write(second: second)
  }
}
