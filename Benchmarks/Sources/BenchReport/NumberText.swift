import Glibc

/// Numbers as digits, without Foundation: rounded as people and plots want them.
public enum NumberText {
  /// With a fixed number of decimals; what is too large for that in its shortest form.
  public static func fixed(_ value: Double, _ decimals: Int) -> String {
    guard value.isFinite else { return value.isNaN ? "-" : value < 0 ? "-inf" : "inf" }
    let unit = pow(10, Double(decimals))
    let scaled = (abs(value) * unit).rounded()
    guard scaled < 1e15 else { return "\(value)" }
    let number = Int(scaled)
    let sign = value < 0 && number != 0 ? "-" : ""
    guard decimals > 0 else { return "\(sign)\(number)" }
    let divisor = Int(unit)
    let rest = String(number % divisor)
    return "\(sign)\(number / divisor)." + String(repeating: "0", count: decimals - rest.count) + rest
  }

  /// With so many significant digits, trailing zeros dropped; integers keep all of theirs.
  public static func significant(_ value: Double, _ digits: Int) -> String {
    guard value.isFinite, value != 0 else { return value == 0 ? "0" : fixed(value, 0) }
    let magnitude = Int(log10(abs(value)).rounded(.down))
    guard (-6..<15).contains(magnitude) else { return "\(value)" }
    var text = fixed(value, max(0, digits - 1 - magnitude))
    guard text.contains(".") else { return text }
    while text.hasSuffix("0") { text.removeLast() }
    if text.hasSuffix(".") { text.removeLast() }
    return text
  }

  /// 1234567 as 1,234,567.
  public static func grouped(_ number: Int) -> String {
    let digits = Array(String(number.magnitude))
    let text = digits.indices.reduce(into: "") { text, index in
      if index > 0, (digits.count - index).isMultiple(of: 3) { text.append(",") }
      text.append(digits[index])
    }
    return number < 0 ? "-" + text : text
  }

  /// 1000 as 1 k, 2500000 as 2.5 M; what is below a thousand as it is.
  public static func short(_ value: Double) -> String {
    for (unit, letter) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] where abs(value) >= unit {
      return significant(value / unit, 3) + " " + letter
    }
    return significant(value, 3)
  }
}
