import Config
import Foundation
import Testing
import Wire

@testable import Control

/// Recorded sessions, command by command, through what `lbd run` answers its socket with.
struct TranscriptTests {
  @Test(arguments: ["errors", "listings", "save-restore"])
  func answersAreThoseOfIpvsadm(name: String) throws {
    let desk = try ReplayedDesk()
    var compared = 0
    for step in try Transcript(name).steps {
      guard case .command(let command) = step else {
        if case .comment(let text) = step { try desk.pass(text) }
        continue
      }
      let line = command.line
      // What needs a shell is for the program's own test.
      if TranscriptDifferences.isLeftOut(line) || line.contains(";") || line.contains("&&") { continue }
      let answer = try desk.answer(line)
      if TranscriptDifferences.afterNegativeMark.contains(line) {
        try desk.clear()
        continue
      }
      compared += 1
      #expect(
        TranscriptDifferences.comparable(answer, to: line, in: name)
          == TranscriptDifferences.comparable(command.answer, to: line, in: name), "\(line)")
    }
    #expect(compared >= 30)
  }
}

/// A director without a network, asked as over the socket; with just enough of a shell for the recorded lines.
private final class ReplayedDesk {
  private let replay: Replay
  private var files: [String: String] = [:]
  private var inputs = 0

  init() throws {
    replay = try Replay(connections: 4096)
    let fixture = try String(contentsOfFile: RecordedCase.fixture, encoding: .utf8)
    for line in fixture.split(separator: "\n") where !line.hasPrefix("#") {
      guard case .success(let edits) = TopologyText.parse(line: String(line)) else { continue }
      for edit in edits { _ = replay.apply(edit) }
    }
  }

  /// Lets something happen.
  func pass(_ text: String) throws {
    if text.hasPrefix("sleep "), let seconds = Double(text.dropFirst(6)) {
      replay.advance(nanoseconds: UInt64(seconds * 1e9))
    }
    guard text.hasPrefix("traffic") else { return }
    for frame in TranscriptTraffic.frames(to: EthernetAddress(0x02_0000_0001_01)) {
      try frame.withUnsafeBytes { try replay.feed($0, input: inputs) }
      inputs += 1
    }
  }

  func clear() throws { _ = try answer("ipvsadm -C") }

  func answer(_ line: String) throws -> Transcript.Answer {
    var words = try CommandWords.split(line).get()
    var input = ""
    if let pipe = words.firstIndex(of: "|") {
      input = echo(Array(words[..<pipe]))
      words = Array(words[(pipe + 1)...])
    }
    if words.count > 2, words[words.count - 2] == "<" {
      input = files[words[words.count - 1]] ?? ""
      words = words.dropLast(2)
    }
    var target: String?
    if words.count > 2, words[words.count - 2] == ">" {
      target = words[words.count - 1]
      words = words.dropLast(2)
    }
    var answer: Transcript.Answer
    switch words[0] {
    case "ipvsadm-save": answer = ask(["-S"] + words.dropFirst(), "")
    case "ipvsadm-restore":
      answer = ask(["-C"], "")
      answer = ask(["-R"], input)
    default: answer = ask(Array(words.dropFirst()), input)
    }
    if let target {
      files[target] = answer.output
      answer.output = ""
    }
    return answer
  }

  /// `echo WORDS` and `printf -- FORMAT`.
  private func echo(_ words: [String]) -> String {
    guard words[0] == "printf" else { return words.dropFirst().joined(separator: " ") + "\n" }
    return words[words.count - 1].replacingOccurrences(of: "\\n", with: "\n")
  }

  private func ask(_ arguments: [String], _ input: String) -> Transcript.Answer {
    var request = AdminRequest()
    request.arguments = arguments
    request.input = Array(input.utf8)
    let reply = replay.answer(to: request)
    var bytes = reply.bytes
    while let more = reply.rest?() { bytes += more }
    return decode(bytes[...])
  }

  private func decode(_ bytes: ArraySlice<UInt8>) -> Transcript.Answer {
    var answer = Transcript.Answer()
    var rest = bytes
    while let header = try? AdminFrame(header: rest.prefix(8)) {
      let body = rest.dropFirst(8).prefix(header.byteCount)
      rest = rest.dropFirst(8 + header.byteCount)
      switch header.kind {
      case .output: answer.output += String(decoding: body, as: UTF8.self)
      case .error: answer.errors += String(decoding: body, as: UTF8.self)
      case .exit: answer.exitCode = AdminFrame.exitCode(body) ?? -1
      case .request: Issue.record("a request for an answer")
      }
    }
    return answer
  }
}
