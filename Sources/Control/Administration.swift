import Config
import Dataplane
import Wire

/// What ipvsadm reads and changes, and the one place where its commands are carried out: for a running director, for replay
/// and for tests alike.
///
/// A value, so that a batch can be tried and dropped. It does not publish: who owns it does, once, when commands have been
/// carried out.
struct Administration {
  /// What a command is carried out with.
  struct Surroundings {
    let dataplane: Dataplane
    let topology: Topology
    let nowNanoseconds: UInt64
    /// Listings mark endpoints for names.
    var isMarked = false
    /// Who is well; nil where nobody checks. Asked only for listings that say so.
    var health: () -> HealthListing? = { nil }
  }

  var services = VirtualServices()
  var timeouts = ConnectionTimeouts()
  var daemons = SyncDaemons()
  /// nil where time does not pass by itself.
  var rates: RateEstimator?
  /// Ports of FULLNAT for services that are added.
  var localPorts = Defaults.localPorts

  /// Carries out a command: all of it, or nothing when it throws.
  /// - Returns: what it prints.
  mutating func apply(_ command: IpvsadmCommand, in place: Surroundings) throws -> String {
    switch command {
    case .list(let request):
      var listing = listing(in: place)
      listing.isMarked = place.isMarked && !request.isNumeric
      return try listing.text(request, timeouts: timeouts, nowNanoseconds: place.nowNanoseconds)
    case .save:
      return listing(in: place).saved()
    case .listLocalAddresses(let key):
      return try listing(in: place).localAddresses(of: key)
    case .help: return IpvsadmUsage.text
    case .version: return IpvsadmUsage.version
    case .zero(let key):
      try services.zero(key) { place.dataplane.counters(ofServer: $0) }
      rates?.zero(key.flatMap { services.service($0)?.number }, of: services)
    default:
      try change(command, topology: place.topology)
    }
    return ""
  }

  /// Carries out a command that changes rules: all of it, or nothing when it throws.
  mutating func change(_ command: IpvsadmCommand, topology: Topology) throws {
    switch command {
    case .setTimeouts(let tcp, let tcpFin, let udp):
      timeouts.set(tcp: tcp, tcpFin: tcpFin, udp: udp)
    case .startDaemon(let spec):
      try daemons.start(spec) { topology.link(named: $0)?.mtu }
    case .stopDaemon(let role):
      try daemons.stop(role)
    case .addLocalAddress(_, _, let interface?) where topology.link(named: interface) == nil:
      throw IpvsadmError("No such device", exitCode: 255)
    case .restore:
      throw IpvsadmError("a batch has no batch in it", exitCode: 2)
    default:
      try services.apply(command, localPorts: localPorts)
    }
  }

  /// Two seconds have passed: rates are estimated anew.
  mutating func estimate(_ dataplane: Dataplane) {
    rates?.look(at: services) { dataplane.counters(ofServer: $0) }
  }

  /// Listings of the present state.
  func listing(in place: Surroundings) -> Listing {
    var listing = Listing(services: services, dataplane: place.dataplane)
    listing.rates = rates
    listing.daemons = daemons
    listing.health = place.health
    return listing
  }

  /// The error as ipvsadm says it.
  static func answer(to error: any Error) -> IpvsadmError {
    switch error {
    case let error as IpvsadmError: error
    case let error as EditError: error.answer
    default: IpvsadmError("\(error)", exitCode: 255)
    }
  }
}

extension ConnectionTimeouts {
  /// As `ipvsadm --set` does: 0 leaves a time as it is.
  mutating func set(tcp: Int, tcpFin: Int, udp: Int) {
    if tcp != 0 { tcpSeconds = tcp }
    if tcpFin != 0 { tcpFinSeconds = tcpFin }
    if udp != 0 { udpSeconds = udp }
  }
}
