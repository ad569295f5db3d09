import Foundation

/// The numbers of one moment, as lbd gives them (`NumbersJSON`).
struct TopSample: Decodable {
  struct Stats: Decodable, Equatable {
    var conns: UInt64 = 0
    var inpkts: UInt64 = 0
    var outpkts: UInt64 = 0
    var inbytes: UInt64 = 0
    var outbytes: UInt64 = 0
  }

  /// In a second.
  struct Rates: Decodable, Equatable {
    var cps: UInt64 = 0
    var inpps: UInt64 = 0
    var outpps: UInt64 = 0
    var inbps: UInt64 = 0
    var outbps: UInt64 = 0
  }

  struct Server: Decodable {
    var address: String
    var port: Int
    var forward: String
    var weight: Int
    var activeConns: UInt64
    var inactiveConns: UInt64
    /// Of a server that takes no new connections, and has a `drain_timeout`.
    var drainSecondsLeft: UInt64?
    var stats: Stats
    var rates: Rates?
  }

  struct Service: Decodable {
    var `protocol`: String?
    var address: String?
    var port: Int?
    var fwmark: UInt32?
    var family: String
    var scheduler: String
    var stats: Stats
    var rates: Rates?
    var servers: [Server]
  }

  /// A server as its checks see it.
  struct ServerHealth: Decodable {
    var address: String
    var port: Int
    var up: Bool
    /// How long it has been so; nil when nothing checks it.
    var seconds: UInt64?
    var lastError: String?
    var nextCheckSeconds: Double?
  }

  /// A virtual server of the configuration, which may be several services.
  struct Health: Decodable {
    /// Their names.
    var services: [String]
    var sorry: Bool
    var servers: [ServerHealth]
  }

  struct Listing: Decodable {
    var services: [Service]
    /// nil where nothing is checked.
    var health: [Health]?
  }

  struct Worker: Decodable {
    var received: UInt64
    var missed: UInt64
    var refused: UInt64
    var busyNanoseconds: UInt64
  }

  struct Table: Decodable {
    var connections: UInt64
    var entries: UInt64
    var fill: Double
    var expired: UInt64
  }

  var nanoseconds: UInt64
  var listing: Listing
  var outcomes: [String: UInt64]
  var workers: [Worker]
  var table: Table

  /// From lbd's answer.
  static func decode(_ bytes: [UInt8]) throws -> TopSample {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .custom { path in
      let name = path.last?.stringValue ?? ""
      // Outcomes are names, not fields.
      guard path.dropLast().last?.stringValue != "outcomes" else { return Key(stringValue: name) }
      let words = name.split(separator: "_")
      return Key(stringValue: (words.first ?? "") + words.dropFirst().map { $0.capitalized }.joined())
    }
    return try decoder.decode(TopSample.self, from: Data(bytes))
  }

  private struct Key: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }
}

extension TopSample.Service {
  /// `TCP 10.0.0.1:80`, `FWM 7 IPv6`.
  var name: String {
    if let fwmark { return "FWM \(fwmark)" + (family == "ipv6" ? " IPv6" : "") }
    return "\((self.protocol ?? "").uppercased()) " + TopSample.endpoint(address ?? "", port ?? 0)
  }
}

extension TopSample.Server {
  var name: String { TopSample.endpoint(address, port) }
}

extension TopSample.ServerHealth {
  var name: String { TopSample.endpoint(address, port) }

  /// `up 3m12s, next check in 2.1 s`; `down 5s: cannot connect: ECONNREFUSED, next check in 0.4 s`. nil without checks.
  var note: String? {
    guard let seconds else { return nil }
    return (up ? "up " : "down ") + HealthListing.span(seconds) + (lastError.map { ": \($0)" } ?? "")
      + (nextCheckSeconds.map { ", next check in \($0) s" } ?? "")
  }
}

extension TopSample {
  static func endpoint(_ address: String, _ port: Int) -> String {
    address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)"
  }
}
