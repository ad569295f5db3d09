import CForwarder
import Glibc

/// What a generator sends: 60-byte TCP segments to one address, from as many clients as there are flows.
struct Load {
  var plan = wire_plan()

  /// As fast as it goes, flows at random, until it is stopped.
  static func flood(flows: Int, to destination: String) -> Load {
    var load = Load()
    load.plan.flows = UInt32(flows)
    load.plan.destination = number(destination)
    load.plan.port = 80
    load.plan.tcp_flags = UInt8(WIRE_TCP_ACK)
    return load
  }

  /// Each flow once, in order, no faster than a forwarder can take it.
  static func pass(flows: Int, to destination: String, flags: Int32, perSecond: Int) -> Load {
    var load = flood(flows: flows, to: destination)
    load.plan.limit = UInt64(flows)
    load.plan.interval_ns = UInt64(1_000_000_000 / perSecond)
    load.plan.tcp_flags = UInt8(flags)
    return load
  }

  private static func number(_ address: String) -> UInt32 {
    address.split(separator: ".").reduce(0) { $0 << 8 | (UInt32($1) ?? 0) }
  }
}

/// A generator at work.
final class Generator {
  private var generator: OpaquePointer?

  init(_ generator: OpaquePointer) { self.generator = generator }

  var sent: UInt64 { generator.map { cf_generator_count($0) } ?? 0 }
  var nanoseconds: UInt64 { generator.map { cf_generator_cpu_ns($0) } ?? 0 }

  /// Ends it; an error that had ended it early is thrown.
  func stop() throws {
    guard let generator else { return }
    self.generator = nil
    let error = cf_generator_stop(generator)
    guard error == 0 else {
      throw WireFailure.missing("send live frames from BPF: \(String(cString: strerror(error))) (Linux 5.18 or newer)")
    }
  }

  deinit { if let generator { _ = cf_generator_stop(generator) } }
}
