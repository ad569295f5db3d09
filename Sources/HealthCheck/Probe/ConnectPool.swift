import Glibc
import Kernel
import NIOCore
import Wire

// Connections for TCP checks that want nothing but a connection: thousands a second. A channel for each, with its pipeline,
// its promises and its buffers, costs several times what the kernel does for the connection. Here it is five system calls and a place
// in an array.
//
// The sockets have a set of their own (epoll), which the event loop cannot wait for, so it looks: half a millisecond after the last
// connection was begun, and the longer nothing has happened the less often. That is soon enough for a verdict, and a server
// that is silent does not keep a processor busy.

/// Connections that are on their way, of one event loop.
final class ConnectPool {
  /// Names a connection on its way.
  struct Ticket: Hashable {
    fileprivate let slot: Int
    fileprivate let generation: UInt32
  }

  private struct Place {
    var descriptor: Int32 = -1
    var generation: UInt32 = 0
    /// Nanoseconds of CLOCK_MONOTONIC.
    var deadline: UInt64 = 0
    var done: ((AttemptResult) -> Void)?
  }

  /// From one look to the next, in nanoseconds.
  private static let interval: ClosedRange<UInt64> = 500_000...16_000_000

  private let loop: any EventLoop
  private let epoll: Epoll
  private var places: [Place] = []
  private var free: [Int] = []
  private var waiting = 0
  /// No deadline comes before this.
  private var firstDeadline = UInt64.max
  private var pause = interval.lowerBound
  private var timer: Scheduled<Void>?

  /// - Throws: when there is no descriptor left.
  init(on loop: any EventLoop) throws {
    self.loop = loop
    epoll = try Epoll()
  }

  /// True for a target that asks for nothing else: no local address or port, interface, mark or way.
  static func serves(_ target: CheckTarget) -> Bool {
    target.bindAddress == nil && target.bindPort == nil && target.interface == nil && target.mark == 0
      && target.way == nil
  }

  /// Begins a connection. `done` is called once, on the loop, never before this returns.
  /// - Throws: what is known at once: a refusal, or that this machine cannot.
  func connect(
    to target: CheckTarget, within timeout: Duration, then done: @escaping (AttemptResult) -> Void
  ) throws(CheckError) -> Ticket {
    let family = target.address.family == .ipv4 ? AF_INET : AF_INET6
    let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let descriptor = socket(family, kind, 0)
    guard descriptor >= 0 else { throw .cannotRun(step: "open a socket", errno: errno) }
    let result = SocketAddress(target.address, port: target.port).withSockAddr {
      Glibc.connect(descriptor, $0, socklen_t($1))
    }
    let number = result == 0 ? 0 : errno
    guard number == 0 || number == EINPROGRESS else {
      close(descriptor)
      throw Connector.isOfServer(number)
        ? .connect(number) : .cannotRun(step: "connect to \(target.endpoint)", errno: number)
    }
    let slot = place()
    let ticket = Ticket(slot: slot, generation: places[slot].generation)
    do {
      try epoll.add(descriptor, events: .writable, token: UInt64(slot) << 32 | UInt64(ticket.generation))
    } catch {
      close(descriptor)
      free.append(slot)
      throw .cannotRun(
        step: "wait for a connection to \(target.endpoint)", errno: (error as? SystemError)?.number ?? EIO)
    }
    let deadline = MonotonicClock.nanoseconds().adding(timeout.nanoseconds)
    places[slot].descriptor = descriptor
    places[slot].deadline = deadline
    places[slot].done = done
    firstDeadline = min(firstDeadline, deadline)
    waiting += 1
    lookSoon()
    return ticket
  }

  /// Ends a connection that is on its way: its `done` is not called any more.
  func cancel(_ ticket: Ticket) {
    guard places[ticket.slot].generation == ticket.generation, places[ticket.slot].done != nil else { return }
    _ = take(ticket.slot)
  }

  // MARK: - Looking

  private func lookSoon() {
    guard pause > ConnectPool.interval.lowerBound || timer == nil else { return }
    pause = ConnectPool.interval.lowerBound
    timer?.cancel()
    setTimer()
  }

  private func setTimer() {
    timer = nil
    guard waiting > 0 else { return }
    timer = loop.assumeIsolated().scheduleTask(in: .nanoseconds(Int64(pause))) { [weak self] in self?.look() }
  }

  private func look() {
    var ended: [(done: (AttemptResult) -> Void, result: AttemptResult)] = []
    var count = 0
    repeat {
      count = epoll.wait(timeoutMilliseconds: 0) { ready in
        let slot = Int(ready.token >> 32)
        guard places[slot].generation == UInt32(truncatingIfNeeded: ready.token) else { return }
        let number = socketError(places[slot].descriptor)
        guard let done = take(slot) else { return }
        ended.append((done, number == 0 ? .well() : AttemptResult(ConnectPool.error(number))))
      }
    } while count == 64
    let now = MonotonicClock.nanoseconds()
    if now >= firstDeadline { expire(now, &ended) }
    pause = ended.isEmpty ? min(pause * 2, ConnectPool.interval.upperBound) : ConnectPool.interval.lowerBound
    setTimer()
    for end in ended { end.done(end.result) }
  }

  private func expire(_ now: UInt64, _ ended: inout [(done: (AttemptResult) -> Void, result: AttemptResult)]) {
    firstDeadline = .max
    for slot in places.indices where places[slot].done != nil {
      guard places[slot].deadline <= now else {
        firstDeadline = min(firstDeadline, places[slot].deadline)
        continue
      }
      if let done = take(slot) { ended.append((done, AttemptResult(CheckError.connectTimeout))) }
    }
  }

  private static func error(_ number: Int32) -> CheckError {
    Connector.isOfServer(number) ? .connect(number) : .cannotRun(step: "connect", errno: number)
  }

  private func socketError(_ descriptor: Int32) -> Int32 {
    var number: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    return getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &number, &length) == 0 ? number : errno
  }

  // MARK: - Places

  private func place() -> Int {
    if let slot = free.popLast() { return slot }
    places.append(Place())
    return places.count - 1
  }

  /// Closes a place's connection, and makes it free.
  private func take(_ slot: Int) -> ((AttemptResult) -> Void)? {
    guard let done = places[slot].done else { return nil }
    places[slot].done = nil
    close(places[slot].descriptor)
    places[slot].descriptor = -1
    places[slot].generation &+= 1
    free.append(slot)
    waiting -= 1
    return done
  }

  deinit {
    timer?.cancel()
    for place in places where place.descriptor >= 0 { close(place.descriptor) }
  }
}
