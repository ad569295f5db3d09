// Findings and explanations for programs. Names are stable; new ones may be added.

/// Text as a string of JSON (RFC 8259, section 7).
public func jsonString(_ text: String) -> String {
  var result = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"": result += "\\\""
    case "\\": result += "\\\\"
    case "\n": result += "\\n"
    case "\t": result += "\\t"
    default:
      if scalar.value < 0x20 || scalar.value == 0x7f {
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
  }
  return result + "\""
}

extension Position {
  fileprivate var json: String { "\"file\":\(jsonString(file)),\"line\":\(line),\"column\":\(column)" }
}

extension Diagnostic {
  /// An object: file, line, column, severity, message; where there are any, remedy and the variable that the text comes from.
  public var json: String {
    var text = "{\(position.json),\"severity\":\"\(severity.name)\",\"message\":\(jsonString(message))"
    if let remedy { text += ",\"remedy\":\(jsonString(remedy))" }
    if severity == .fault { text += ",\"start\":\"goes on without the line\"" }
    if let definition = position.definition {
      text += ",\"variable\":{\"name\":\(jsonString(definition.name)),\(definition.position.json)}"
    }
    return text + "}"
  }
}

extension Explanation {
  /// An array of blocks: title, place, values with origin, blocks within.
  public var json: String { "[" + sections.map(Explanation.json).joined(separator: ",") + "]" }

  private static func json(_ section: Section) -> String {
    var text = "\n{\"title\":\(jsonString(section.title))"
    if let position = section.position { text += ",\(position.json)" }
    let rows = section.rows.map { row in
      "{\"key\":\(jsonString(row.key)),\"value\":\(jsonString(row.value)),\(json(row.origin))}"
    }
    text += ",\"values\":[" + rows.joined(separator: ",") + "]"
    return text + ",\"blocks\":[" + section.sections.map(json).joined(separator: ",") + "]}"
  }

  private static func json(_ origin: Origin) -> String {
    switch origin {
    case .line(let position, _, let others): "\"origin\":\"line\",\"lines\":\(others + 1),\(position.json)"
    case .inherited(let position): "\"origin\":\"inherited\",\(position.json)"
    case .standard: "\"origin\":\"default\""
    }
  }
}
