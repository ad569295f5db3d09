import Wire

@testable import Config

/// A rule on one line, for comparing: family, conditions, bits cleared and flipped.
func text(of rule: MarkRule) -> String {
  func ports(_ condition: Condition<[ClosedRange<UInt16>]>) -> String {
    (condition.isNegated ? "not " : "")
      + condition.value.map { "\($0.lowerBound)-\($0.upperBound)" }.joined(separator: ",")
  }
  func one<Value>(_ condition: Condition<Value>) -> String {
    (condition.isNegated ? "not " : "") + "\(condition.value)"
  }
  var parts: [String] = []
  if let family = rule.family { parts.append("\(family.rawValue)") }
  if let interface = rule.interface { parts.append("in \(one(interface))") }
  if let source = rule.source { parts.append("from \(one(source))") }
  if let destination = rule.destination { parts.append("to \(one(destination))") }
  if let number = rule.protocolNumber { parts.append("proto \(one(number))") }
  if let list = rule.sourcePorts { parts.append("source port \(ports(list))") }
  if let list = rule.destinationPorts { parts.append("port \(ports(list))") }
  return parts.joined(separator: " ") + (parts.isEmpty ? "" : " ")
    + String(rule.clear, radix: 16) + ":" + String(rule.flip, radix: 16)
}

/// A rule in lbd's own language, without its place; nil when it is refused.
func markRule(_ line: String) -> MarkRule? {
  read("lbd {\nmark_rules {\n\(line)\n}\n}").configuration.markRules.rules.first?.withoutPosition
}
