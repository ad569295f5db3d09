import CShims
import Kernel

/// A packet's journey, top to bottom.
///
/// A forwarder is one worker: one pinned thread that owns one queue of every port (several queues when there are
/// more queues than workers). All its ports share one block of frames, so a packet received on one port leaves by another
/// without being copied. `turn` is the whole of it: each line is a file of that name, each is a loop over a batch, no
/// stage calls a later one. What happens to a packet is data: a stage marks an `Outcome`, the next ones skip it.
struct Forwarder<P: Port & ~Copyable, H: HostStack & ~Copyable>: ~Copyable {
  var state: WorkerState
  /// The queues this worker owns.
  let ports: UnsafeMutablePointer<P>
  let portCount: Int
  /// By port: the interface it belongs to.
  let interfaces: UnsafeMutablePointer<UInt8>
  /// By port: its own MAC address.
  let addresses: UnsafeMutablePointer<UInt64>
  /// By interface: the port that frames leave by.
  let transmitPorts: UnsafeMutablePointer<UInt8>
  var host: H
  let mailbox: Mailbox
  private(set) var isStopped = false
  /// The port that is served first in the next turn, so that a busy one cannot starve the others.
  var nextPort = 0

  /// One turn of the worker: what came in, what becomes of it, what goes out.
  /// - Returns: how many frames came in.
  @discardableResult
  mutating func turn() -> Int {
    state.clock.tickNow()
    return turnAtClock()
  }

  /// A turn at the time the clock shows: replay sets it from the capture.
  @inline(__always)
  mutating func turnAtClock() -> Int {
    if mailbox.hasMail { readMail() }
    receive()
    Parse.batch(state.batch, addresses: addresses)
    Classify.batch(
      state.batch, snapshot: state.snapshot, shared: state.shared, fragments: state.fragments,
      now: state.clock.nanoseconds)
    state.schedule()
    state.rewrite()
    transmit()
    state.counters.add(state.batch)
    state.sweepDue(isBusy: state.batch.count != 0)
    return state.batch.count
  }

  /// Control speaks here, and only here, between two batches.
  @inline(never)
  mutating func readMail() {
    while let message = mailbox.take() {
      switch message {
      case .snapshot(let view):
        state.snapshot = view
        mailbox.report(generation: view.pointee.generation)
      case .stop:
        isStopped = true
      }
    }
  }

  /// Takes over ports that are ready to use.
  /// - Parameters:
  ///   - ports: initialised; the forwarder owns them from here on.
  ///   - portInterfaces: by port, the index of its interface.
  ///   - interfaceAddresses: by interface, its MAC address.
  init(
    state: consuming WorkerState, ports: UnsafeMutablePointer<P>, portInterfaces: [Int], interfaceAddresses: [UInt64],
    host: consuming H, mailbox: Mailbox
  ) {
    precondition(portInterfaces.count <= Limits.portCapacity && interfaceAddresses.count < Int(Batch.noEgress))
    self.state = state
    self.ports = ports
    portCount = portInterfaces.count
    interfaces = .allocate(capacity: max(portCount, 1))
    addresses = .allocate(capacity: max(portCount, 1))
    transmitPorts = .allocate(capacity: max(interfaceAddresses.count, 1))
    transmitPorts.initialize(repeating: 0, count: interfaceAddresses.count)
    for (port, interface) in portInterfaces.enumerated().reversed() {
      interfaces[port] = UInt8(interface)
      addresses[port] = interfaceAddresses[interface]
      transmitPorts[interface] = UInt8(port)
    }
    self.host = host
    self.mailbox = mailbox
  }

  deinit {
    ports.deinitialize(count: portCount)
    ports.deallocate()
    interfaces.deallocate()
    addresses.deallocate()
    transmitPorts.deallocate()
  }
}
