import Glibc
import Kernel

/// One worker as control sees it: its thread, its mailbox, its counters.
///
/// The forwarder itself lives on the worker's thread; nothing here is touched per packet.
final class Worker: @unchecked Sendable {
  let mailbox = Mailbox()
  let number: Int
  /// By outcome, then the totals (`Counters`).
  let outcomes: UnsafeMutablePointer<UInt64>
  /// By server number.
  let servers: UnsafeMutablePointer<ServerCounters>
  private let memory: MappedMemory
  let notices: Notices
  private let wake: EventDescriptor
  /// What the frames lie in; must outlive the thread.
  var frameMemory: AnyObject?
  private var thread: PinnedThread?
  /// A worker without a thread: whoever drives it reads its mail when asked.
  var readMail: (() -> Void)?
  private var askedMemories: UInt64 = 0

  init(number: Int) throws {
    self.number = number
    let outcomeBytes = 4096
    let serverBytes = Limits.serverCapacity * MemoryLayout<ServerCounters>.stride
    // Only the pages of servers in use are ever touched.
    memory = try MappedMemory(byteCount: outcomeBytes + serverBytes, hugePages: .never)
    outcomes = memory.base.bindMemory(to: UInt64.self, capacity: outcomeBytes / 8)
    servers = (memory.base + outcomeBytes).bindMemory(to: ServerCounters.self, capacity: Limits.serverCapacity)
    wake = try EventDescriptor()
    notices = try Notices()
  }

  var counters: Counters { Counters(outcomes: outcomes, servers: servers) }

  /// Posts a message and wakes the thread. Waits if the mailbox is full, which takes 256 unread messages.
  ///
  /// A worker without a thread is driven by whoever posts: nobody would make room meanwhile. Its oldest snapshot,
  /// which a newer one follows, is dropped instead.
  func post(_ message: Mailbox.Message) {
    while !mailbox.post(message) {
      if thread == nil {
        _ = mailbox.take()
        continue
      }
      wake.raise()
      usleep(100)
    }
    wake.raise()
  }

  /// Time that the thread has had a processor.
  var busyNanoseconds: UInt64 { thread?.processorNanoseconds ?? 0 }

  /// How long a worker is waited for; a batch takes a fraction of a millisecond.
  private static var patienceMicroseconds: UInt32 { 200_000 }

  /// What the worker remembers from batch to batch, as it says itself between two of them.
  /// - Returns: nil when it does not answer in time.
  func remembered() -> WorkerMemory? {
    post(.remember)
    askedMemories += 1
    readMail?()
    var waited: UInt32 = 0
    while mailbox.reportedMemories != askedMemories {
      guard thread != nil, waited < Worker.patienceMicroseconds else { return nil }
      usleep(50)
      waited += 50
    }
    return mailbox.memory
  }

  /// Runs a forwarder on a thread of its own until it is told to stop.
  func start<P: Port & ~Copyable, H: HostStack & ~Copyable>(
    _ forwarder: consuming Forwarder<P, H>, core: Int?
  ) throws {
    let heap = UnsafeMutablePointer<Forwarder<P, H>>.allocate(capacity: 1)
    heap.initialize(to: forwarder)
    nonisolated(unsafe) let loop = heap
    let wakeDescriptor = wake.descriptor
    thread = try PinnedThread.start(name: "lbd-worker-\(number)", core: core) {
      loop.pointee.run(wakeDescriptor: wakeDescriptor)
      loop.deinitialize(count: 1)
      loop.deallocate()
    }
  }

  /// Stops the thread and waits for it.
  func stop() {
    if thread == nil { return }
    post(.stop)
    thread.take()?.join()
  }
}

extension Forwarder where P: ~Copyable, H: ~Copyable {
  /// How long a worker goes on looking after the last frame before it goes to sleep. A connection's next packet often
  /// comes within a round trip, and being woken takes longer than that.
  private static var patienceNanoseconds: UInt64 { 50_000 }
  /// How long a worker sleeps when nothing comes; the expiry hand moves on when it wakes.
  private static var sleepMilliseconds: Int32 { 200 }

  /// The worker's loop: spins while there is work and a little longer, then sleeps in poll().
  mutating func run(wakeDescriptor: Int32) {
    let descriptors = UnsafeMutablePointer<pollfd>.allocate(capacity: portCount + 2)
    defer { descriptors.deallocate() }
    descriptors[0] = pollfd(fd: wakeDescriptor, events: Int16(POLLIN), revents: 0)
    for port in 0..<portCount {
      descriptors[port + 1] = pollfd(fd: ports[port].pollDescriptor, events: Int16(POLLIN), revents: 0)
    }
    var last: UInt64 = 0
    while !isStopped {
      if turn() != 0 {
        last = state.clock.nanoseconds
      } else if state.clock.nanoseconds &- last >= Self.patienceNanoseconds {
        sleep(descriptors)
      }
    }
  }

  @inline(never)
  private mutating func sleep(_ descriptors: UnsafeMutablePointer<pollfd>) {
    var timeout = Self.sleepMilliseconds
    for port in 0..<portCount where ports[port].hasUnsent {
      ports[port].flush()
      timeout = 1
    }
    let hasAnswers = state.worker == 0 && state.snapshot.pointee.hearsHost
    descriptors[portCount + 1] = pollfd(
      fd: hasAnswers ? host.pollDescriptor : -1, events: Int16(POLLIN), revents: 0)
    poll(descriptors, nfds_t(portCount + 2), timeout)
    if descriptors[0].revents != 0 {
      var count: UInt64 = 0
      read(descriptors[0].fd, &count, 8)
    }
    var missed: UInt64 = 0
    for port in 0..<portCount { missed &+= ports[port].missedFrameCount() }
    state.counters.totals[Counters.Total.missed.rawValue] = missed
  }
}
