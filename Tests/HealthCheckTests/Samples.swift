import Foundation
import Wire

@testable import HealthCheck

/// Definitions and times that tests share.
enum Samples {
  static let second: UInt64 = 1_000_000_000

  /// How long randomised tests repeat themselves.
  static let fuzzSeconds = setting("FUZZ_SECONDS").flatMap(Double.init) ?? 2

  /// The seed a randomised test begins with.
  static let seed = setting("FUZZ_SEED").flatMap(UInt64.init) ?? UInt64.random(in: 0...UInt64(UInt32.max))

  /// With the prefix that all of lbd's tests know, or without.
  private static func setting(_ name: String) -> String? {
    let environment = ProcessInfo.processInfo.environment
    return environment["LBD_\(name)"] ?? environment[name]
  }

  static let server = endpoint("10.0.0.1", 80)

  static func endpoint(_ address: String, _ port: UInt16) -> Endpoint {
    Endpoint(address: IPAddress(address)!, port: port)
  }

  static func id(_ number: Int = 0, server: Int = 1, service: Int = 100) -> CheckID {
    CheckID(service: "[10.0.0.\(service)]:tcp:80", server: "[10.0.0.\(server)]:tcp:80", number: number)
  }

  /// A check every 10 s with 2 retries after 1 s each.
  static func definition(
    _ kind: CheckKind = .tcp, at endpoint: Endpoint = server, _ change: (inout CheckTimes) -> Void = { _ in }
  ) -> CheckDefinition {
    var times = CheckTimes()
    times.delayLoop = .seconds(10)
    times.retry = 2
    times.delayBeforeRetry = .seconds(1)
    times.warmup = .zero
    change(&times)
    return CheckDefinition(kind, target: CheckTarget(endpoint), times: times)
  }

  static func pages(_ count: Int, fastRecovery: Bool = false) -> CheckKind {
    var check = HTTPDefinition(pages: (0..<count).map { HTTPDefinition.Page(path: "/\($0)") })
    check.fastRecovery = fastRecovery
    return .http(check)
  }
}
