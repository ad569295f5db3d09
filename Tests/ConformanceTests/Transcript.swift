import Foundation
import Testing

/// A session with a real ipvsadm, as it was recorded: commands with their output, errors and exit codes.
struct Transcript {
  /// A command, or something that happened meanwhile.
  enum Step {
    case command(Command)
    /// `# traffic`, `# sleep 2.2`, headings.
    case comment(String)
  }

  /// What was typed, and what came of it.
  struct Command: CustomStringConvertible {
    let line: String
    let answer: Answer

    var description: String { line }
  }

  /// What a command says.
  struct Answer: Equatable {
    var output = ""
    var errors = ""
    var exitCode: Int32 = 0
  }

  let steps: [Step]

  /// From `Vectors/ipvsadm`.
  init(_ name: String) throws {
    let path = RecordedCase.vectors.appendingPathComponent("ipvsadm/\(name).txt").path
    var steps: [Step] = []
    var line: String?
    var answer = Answer()
    for text in try String(contentsOfFile: path, encoding: .utf8).components(separatedBy: "\n") {
      if let open = line {
        if text.hasPrefix("(exit "), let code = Int32(text.dropFirst(6).dropLast()) {
          answer.exitCode = code
          steps.append(.command(Command(line: open, answer: answer)))
          line = nil
        } else if text.hasPrefix("2> ") {
          answer.errors += text.dropFirst(3) + "\n"
        } else {
          answer.output += text + "\n"
        }
      } else if text.hasPrefix("$ ") {
        line = String(text.dropFirst(2))
        answer = Answer()
      } else if text.hasPrefix("# ") {
        steps.append(.comment(String(text.dropFirst(2))))
      }
    }
    self.steps = steps
  }
}

/// Where lbd's ipvsadm does not say what was recorded, and what is compared instead. docs/differences-from-ipvs.md has the
/// reasons.
enum TranscriptDifferences {
  /// Commands about files of the kernel's, which lbd has not.
  static func isLeftOut(_ line: String) -> Bool { line.contains("/proc/") }

  /// What follows from `-f -1`: what ipvsadm saves of this service it does not take back, and nothing is restored.
  static let afterNegativeMark = [
    "ipvsadm -R < /tmp/s1", "ipvsadm -Sn > /tmp/s2; diff /tmp/s1 /tmp/s2 && echo same",
  ]

  /// Both answers to a command, in a form in which they have to be equal.
  static func comparable(_ answer: Transcript.Answer, to line: String, in name: String) -> Transcript.Answer {
    var answer = answer
    if name == "save-restore", line.hasSuffix("--thresholds") {
      // Thresholds are saved, so they are there again.
      answer.output = answer.output.replacingOccurrences(of: "100        50 ", with: "0          0  ")
    }
    let words = line.split(separator: " ")
    if words.contains("-h") || words.contains("--help") {
      // In our own words.
      answer.output = answer.output.components(separatedBy: "\n")[0]
    } else if words.contains(where: { $0.hasPrefix("-Lnc") || $0 == "-Lc" }) {
      answer.output = connections(answer.output)
    } else if words.contains("--nosort") {
      answer.output = blocks(answer.output)
    } else if words.contains("--rate"), !words.contains("--stats") {
      answer.output = String(answer.output.map { $0.isNumber ? "0" : $0 })
    } else if line.hasPrefix("ipvsadm-save")
      || words.dropFirst().first.map({ ["-S", "-Sn", "--save"].contains($0) }) == true
    {
      answer.output = answer.output.replacingOccurrences(of: "-f -1 ", with: "-f 4294967295 ")
        .replacingOccurrences(of: " -x 100 -y 50", with: "")
    }
    return answer
  }

  /// Connections are in the order of a hash table, and time passes.
  private static func connections(_ text: String) -> String {
    text.components(separatedBy: "\n").map { line in
      guard line.hasPrefix("TCP ") || line.hasPrefix("UDP ") else { return line }
      return String(line.prefix(4) + line.dropFirst(9))
    }.sorted().joined(separator: "\n")
  }

  /// Services in the order of the kernel's hash table.
  private static func blocks(_ text: String) -> String {
    var blocks: [String] = []
    for line in text.components(separatedBy: "\n") {
      if line.hasPrefix("  -> "), !blocks.isEmpty {
        blocks[blocks.count - 1] += "\n" + line
      } else {
        blocks.append(line)
      }
    }
    return blocks.sorted().joined(separator: "\n")
  }
}
