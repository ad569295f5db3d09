import Foundation
import Testing

@testable import HealthCheck

/// A file that changes while a check waits for that. Each wait ends with the change, or never.
@Suite(.timeLimit(.minutes(2))) struct FileProbeTests {
  private let directory = FileManager.default.temporaryDirectory.appendingPathComponent("lbd-\(UUID().uuidString)")

  private func url(_ name: String = "number") -> URL { directory.appendingPathComponent(name) }

  private func attempts(_ name: String = "number", weight: Int = 1) -> Attempts {
    var definition = FileDefinition(path: url(name).path)
    definition.weight = weight
    return Attempts(Samples.definition(.file(definition)))
  }

  private func prepare() throws {
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
  }

  private func remove() { try? FileManager.default.removeItem(at: directory) }

  @Test func everyChangeIsTold() async throws {
    try prepare()
    defer { remove() }
    try Data("1".utf8).write(to: url())
    let attempts = attempts()
    #expect(await attempts.next() == .well(.add(1)))
    // In place, by renaming over it, gone, there again.
    async let second = attempts.next()
    try Data("2".utf8).write(to: url())
    #expect(await second == .well(.add(2)))
    async let third = attempts.next()
    try Data("3".utf8).write(to: url(), options: .atomic)
    #expect(await third == .well(.add(3)))
    async let fourth = attempts.next()
    try FileManager.default.removeItem(at: url())
    #expect(await fourth == .well(.add(0)))
    async let fifth = attempts.next()
    try Data("5".utf8).write(to: url())
    #expect(await fifth == .well(.add(5)))
  }

  @Test func aChangeBetweenAttemptsIsNotMissed() async throws {
    try prepare()
    defer { remove() }
    let attempts = attempts(weight: 0)
    #expect(await attempts.next() == .well())
    try Data("1".utf8).write(to: url())
    #expect(await attempts.next() == .failed(.fileNumber(1)))
    try Data("nothing".utf8).write(to: url())
    #expect(await attempts.next() == .well())
  }

  @Test func theFirstOneAfterCancelAnswersAtOnce() async throws {
    try prepare()
    defer { remove() }
    try Data("1".utf8).write(to: url())
    let attempts = attempts()
    for _ in 0..<3 {
      #expect(await attempts.next() == .well(.add(1)))
      try await attempts.cancel()
    }
    for _ in 0..<20 { try await attempts.beginAndCancel() }
    #expect(await attempts.next() == .well(.add(1)))
  }

  /// inotify cannot help here.
  @Test func aDirectoryThatComesLater() async throws {
    defer { remove() }
    let attempts = attempts()
    #expect(await attempts.next() == .well(.add(0)))
    async let second = attempts.next()
    try prepare()
    try Data("2".utf8).write(to: url())
    #expect(await second == .well(.add(2)))
  }

  @Test func whatALinkPointsTo() async throws {
    try prepare()
    defer { remove() }
    let other = directory.appendingPathComponent("other")
    try FileManager.default.createDirectory(at: other, withIntermediateDirectories: true)
    try Data("1".utf8).write(to: other.appendingPathComponent("number"))
    try FileManager.default.createSymbolicLink(at: url(), withDestinationURL: other.appendingPathComponent("number"))
    let attempts = attempts()
    #expect(await attempts.next() == .well(.add(1)))
    async let second = attempts.next()
    try Data("2".utf8).write(to: other.appendingPathComponent("number"))
    #expect(await second == .well(.add(2)))
  }

  @Test func manyFilesOfOneSource() async throws {
    try prepare()
    defer { remove() }
    let source = NetworkProbes()
    for number in 0..<300 { try Data("\(number)".utf8).write(to: url("n\(number)")) }
    let all = (0..<300).map { number in
      var definition = FileDefinition(path: url("n\(number)").path)
      definition.weight = 1
      return Attempts(Samples.definition(.file(definition)), of: source)
    }
    for (number, attempts) in all.enumerated() { #expect(await attempts.next() == .well(.add(number))) }
    for number in 0..<300 { try Data("\(number + 1)".utf8).write(to: url("n\(number)")) }
    for (number, attempts) in all.enumerated() { #expect(await attempts.next() == .well(.add(number + 1))) }
  }

  @Test func whatIsNoNumberIsNoVerdict() async throws {
    try prepare()
    defer { remove() }
    try Data("99999999999".utf8).write(to: url())
    let attempts = attempts()
    #expect(await attempts.next() == .notRun(.definition("\(url().path) has no number of 32 bits")))
  }
}
