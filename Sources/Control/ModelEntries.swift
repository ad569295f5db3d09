import Config
import Dataplane
import Scheduler
import Wire

/// What the model of services and servers is made of.
extension VirtualServices {
  /// A real server of a service.
  struct Server {
    var number: UInt16
    var service: UInt16
    var spec: RealServer
    /// The weight it was added with or, since then, given last, not counting edits to 0.
    var lastWeight: Int32
    /// Its methods, the present one first (`ServerForms.swift`).
    var forms: [ServerForm]
    var isAvailable: Bool
    /// Since when it has had no new connections, where that matters.
    var drain: Drain?
    /// Which of all removals was its last one.
    var removal: UInt64 = 0
    /// How many had been added before it.
    var age: UInt64 = 0
    /// What it had been sent by forms that it has no more.
    var inherited = ServerCounters()

    /// How new connections reach it.
    var method: ForwardingMethod { forms[0].method }

    /// What it has been sent since its counters were set to zero.
    /// - Parameter raw: what workers have counted for a number.
    func counters(_ raw: (UInt16) -> ServerCounters) -> ServerCounters {
      forms.reduce(into: inherited) { sum, form in sum.add(raw(form.number).since(form.zero)) }
    }

    /// Lets its counters begin again.
    mutating func zero(_ raw: (UInt16) -> ServerCounters) {
      inherited = ServerCounters()
      for index in forms.indices { forms[index].zero = raw(forms[index].number) }
    }
  }

  /// A service.
  struct Service {
    var number: UInt16
    var endpoint: UInt16
    var spec: VirtualService
    var scheduler: Scheduler
    /// Server numbers in list order, newest first.
    var servers: [UInt16] = []
    var isActive = true
    /// Weighted round robin: that of the list.
    var pace: (step: UInt32, maximum: UInt32) = (1, 0)
    /// Local addresses ever used, by index; those still in the group are active.
    var localAddresses: [(address: IPAddress, isActive: Bool)] = []
    var localPorts: ClosedRange<UInt16>
    /// True once its persistence has gone by calls.
    var hadEngine = false
    /// True when it has, or has had, connections that only the wide table holds: clients that are conveyed, servers of
    /// the other family.
    var hasOpenedWide = false
    /// Persistence masks it has had, the latest first: connections that were opened by them look for their templates.
    var formerMasks: [PersistenceMask] = []
    /// What servers were sent whose numbers have been freed: the service's own totals do not go back.
    var retired = ServerCounters()
  }
}
