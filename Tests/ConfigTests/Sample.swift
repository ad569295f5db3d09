import Foundation
import Wire

@testable import Config

/// Configuration files as people have them, with all their slips.
enum Sample {
  static let directory = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Samples")

  static func bytes(_ name: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: directory.appendingPathComponent(name)))
  }

  static var names: [String] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: directory.path)) ?? []
    return all.filter { $0.hasSuffix(".conf") }.sorted()
  }
}

/// Reads text as `t.conf`.
func read(_ text: String) -> (configuration: Configuration, diagnostics: [Diagnostic]) {
  let (configuration, diagnostics) = parseConfiguration(bytes: Array(text.utf8), file: "t.conf")
  return (configuration, diagnostics)
}

/// A service on one line: key, scheduler, method, servers.
func summary(_ service: VirtualService) -> String {
  var parts = ["\(service.key) \(service.schedulerName) \(service.forwardingMethod.name)"]
  if let seconds = service.persistenceSeconds { parts.append("persistent \(seconds)") }
  if let sorry = service.sorryServer { parts.append("sorry \(sorry)") }
  for server in service.realServers {
    let method = server.methodOverride.map { " \($0.name)" } ?? ""
    let vlan = server.vlan.map { " vlan \($0)" } ?? ""
    parts.append("\(server.endpoint) w\(server.weight)\(method)\(vlan)")
  }
  return parts.joined(separator: " | ")
}
