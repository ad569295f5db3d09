import Wire

// How a service and its servers are watched, and who hears of it. The forwarding of packets needs nothing of this: it is
// for the engine that checks servers, and for the state of a service, which decides who serves.

/// What a virtual server says about its servers' health.
public struct ServiceMonitoring: Hashable, Sendable, Traced {
  /// The weight of living servers that makes the service up.
  public var quorum = 1
  /// How far the weight must get above the quorum, or below, before that changes.
  public var hysteresis = 0
  /// Runs when the quorum is reached.
  public var quorumUp: ScriptCommand?
  /// Runs when it is lost.
  public var quorumDown: ScriptCommand?
  /// Checks run only while the address is on this host.
  public var suspendsWithoutAddress = false
  /// Servers are told of as down when the program ends.
  public var omega = false
  /// Mail; nil is what `global_defs` says.
  public var smtpAlert: Bool?
  /// The host that HTTP checks ask for.
  public var virtualHost: String?
  /// A name for SNMP.
  public var snmpName: String?
  /// The sorry server is not removed while it is not needed, but has the weight 0.
  public var inhibitsSorryServer = false
  /// How packets reach the sorry server; nil is as the others.
  public var sorryServerMethod: ForwardingMethod?
  /// For servers that do not say.
  public var inhibitsOnFailure: Bool?
  /// Servers that leave SYNs without an answer are taken out; nil is not.
  public var passive: PassiveCheck?
  /// For servers and checkers that do not say.
  public var timing = CheckTiming()
  /// Which keywords were written, and where.
  public var origins = Origins()

  /// The defaults.
  public init() {}
}

/// What a real server says about its health.
public struct ServerMonitoring: Hashable, Sendable, Traced {
  /// A server that is down keeps its place, with the weight 0.
  public var inhibitsOnFailure = false
  /// Runs when it is up.
  public var notifyUp: ScriptCommand?
  /// Runs when it is down.
  public var notifyDown: ScriptCommand?
  /// Mail.
  public var smtpAlert = true
  /// The host that HTTP checks ask for.
  public var virtualHost: String?
  /// A name for SNMP.
  public var snmpName: String?
  /// With what the virtual server says.
  public var timing = CheckTiming()
  /// In the order of the text; without any the server is always up.
  public var checkers: [Checker] = []
  /// Which keywords were written, and where.
  public var origins = Origins()

  /// The defaults.
  public init() {}

  /// True when it serves only after its checks have succeeded.
  public var startsDown: Bool { checkers.contains { $0.schedule.alpha } }
}

/// The certificates that checks over TLS show: the `SSL` block.
public struct TLSClient: Hashable, Sendable, Traced {
  /// Of the key.
  public var password: String?
  /// A file of authorities.
  public var authority: String?
  /// A file.
  public var certificate: String?
  /// A file.
  public var key: String?
  /// Which keywords were written, and where.
  public var origins = Origins()

  /// Nothing.
  public init() {}

  static let table = KeyTable<TLSClient>([
    .text("password", \.password), .text("ca", \.authority, "FILE"), .text("certificate", \.certificate, "FILE"),
    .text("key", \.key, "FILE"),
  ])
}

/// A value on the heap: many servers of the same words share one, and one that has none costs nothing.
final class Shared<Value: Hashable & Sendable>: Hashable, Sendable {
  let value: Value

  init(_ value: Value) { self.value = value }

  static func == (left: Shared, right: Shared) -> Bool { left === right || left.value == right.value }

  func hash(into hasher: inout Hasher) { hasher.combine(value) }
}
