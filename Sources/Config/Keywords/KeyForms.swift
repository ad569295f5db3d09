import Wire

// The kinds of rows that tables of keywords are made of.

/// A property that can be read and set, wherever the table is used.
typealias Property<Model, Value> = WritableKeyPath<Model, Value> & Sendable

extension Key {
  /// A whole number. Lenient keywords take the number of `5x`, as keepalived does; strict ones refuse it.
  static func integer(
    _ name: String, _ path: Property<Model, Int>, _ range: ClosedRange<Int>, isStrict: Bool = false
  ) -> Key {
    Key(name, rangeText(range), show: { "\($0[keyPath: path])" }) { directive, model, diagnostics in
      guard let value = directive.number(in: range, isStrict: isStrict, &diagnostics) else { return false }
      model[keyPath: path] = value
      return true
    }
  }

  /// A whole number that may be absent.
  static func integer(
    _ name: String, _ path: Property<Model, Int?>, _ range: ClosedRange<Int>, isStrict: Bool = false
  ) -> Key {
    Key(name, rangeText(range), show: { $0[keyPath: path].map(String.init) }) { directive, model, diagnostics in
      guard let value = directive.number(in: range, isStrict: isStrict, &diagnostics) else { return false }
      model[keyPath: path] = value
      return true
    }
  }

  /// Seconds, with up to six decimals.
  static func time(_ name: String, _ path: Property<Model, Duration>, _ range: ClosedRange<Duration>) -> Key {
    Key(name, timeText(range), show: { $0[keyPath: path].secondsText }) { directive, model, diagnostics in
      guard let value = directive.time(in: range, &diagnostics) else { return false }
      model[keyPath: path] = value
      return true
    }
  }

  /// Seconds that may be absent.
  static func time(_ name: String, _ path: Property<Model, Duration?>, _ range: ClosedRange<Duration>) -> Key {
    Key(name, timeText(range), show: { $0[keyPath: path]?.secondsText }) { directive, model, diagnostics in
      guard let value = directive.time(in: range, &diagnostics) else { return false }
      model[keyPath: path] = value
      return true
    }
  }

  /// `on`, `true`, `yes`, `off`, `false`, `no`; the keyword alone is on.
  static func flag(_ name: String, _ path: Property<Model, Bool>) -> Key {
    Key(name, "[on | off]", show: { $0[keyPath: path] ? "on" : "off" }) { directive, model, diagnostics in
      guard let value = directive.flag(&diagnostics) else { return false }
      model[keyPath: path] = value
      return true
    }
  }

  /// The same, inherited where it is absent.
  static func flag(_ name: String, _ path: Property<Model, Bool?>) -> Key {
    Key(name, "[on | off]", show: { $0[keyPath: path].map { $0 ? "on" : "off" } }) { directive, model, diagnostics in
      guard let value = directive.flag(&diagnostics) else { return false }
      model[keyPath: path] = value
      return true
    }
  }

  /// A keyword that says all by itself; words behind it are passed over.
  static func presence(_ name: String, _ path: Property<Model, Bool>, sets value: Bool = true) -> Key {
    Key(name, "", show: { $0[keyPath: path] == value ? "on" : "off" }) { _, model, _ in
      model[keyPath: path] = value
      return true
    }
  }

  /// One word.
  static func text(_ name: String, _ path: Property<Model, String?>, _ form: String = "TEXT") -> Key {
    Key(name, form, show: { $0[keyPath: path] }) { directive, model, diagnostics in
      guard let value = directive.text(0, "a value", &diagnostics) else { return false }
      model[keyPath: path] = value
      return true
    }
  }

  /// One word that has a default.
  static func text(_ name: String, _ path: Property<Model, String>, _ form: String = "TEXT") -> Key {
    Key(name, form, show: { $0[keyPath: path] }) { directive, model, diagnostics in
      guard let value = directive.text(0, "a value", &diagnostics) else { return false }
      model[keyPath: path] = value
      return true
    }
  }

  /// The name of an interface.
  static func interface(_ name: String, _ path: Property<Model, String?>) -> Key {
    Key(name, "INTERFACE", show: { $0[keyPath: path] }) { directive, model, diagnostics in
      guard let value = directive.interfaceName(&diagnostics) else { return false }
      model[keyPath: path] = value
      return true
    }
  }

  /// A numeric address.
  static func address(_ name: String, _ path: Property<Model, IPAddress?>) -> Key {
    Key(name, "IP", show: { $0[keyPath: path].map { "\($0)" } }) { directive, model, diagnostics in
      guard let value = directive.numericAddress(0, &diagnostics) else { return false }
      model[keyPath: path] = value
      return true
    }
  }

  /// A command with the user it runs as. The first one counts, as in keepalived.
  static func command(_ name: String, _ path: Property<Model, ScriptCommand?>) -> Key {
    Key(name, "\"COMMAND\" [USER [GROUP]]", show: { $0[keyPath: path]?.description }) { directive, model, diagnostics in
      guard let value = ScriptCommand(directive, &diagnostics) else { return false }
      guard model[keyPath: path] == nil else {
        diagnostics.warning(
          at: directive.position, "'\(directive.keyword)' is there already, this one is left out",
          remedy: "keep one of them")
        return false
      }
      model[keyPath: path] = value
      return true
    }
  }

  /// One of a few words.
  static func choice<Value: Sendable>(
    _ name: String, _ path: Property<Model, Value>, _ choices: [(String, Value)],
    show: @escaping @Sendable (Value) -> String?
  ) -> Key {
    let words = choices.map(\.0)
    return Key(name, words.joined(separator: " | "), show: { show($0[keyPath: path]) }) {
      directive, model, diagnostics in
      guard let word = directive.argument(0, words.joined(separator: " or "), &diagnostics, severity: .warning) else {
        return false
      }
      guard let choice = choices.first(where: { $0.0 == word.text }) else {
        diagnostics.warning(
          at: word.position, "\(quoted(word.text)) does not fit '\(directive.keyword)', it is ignored",
          remedy: "write \(words.joined(separator: " or "))")
        return false
      }
      model[keyPath: path] = choice.1
      return true
    }
  }
}

func rangeText(_ range: ClosedRange<Int>) -> String { "\(range.lowerBound)…\(range.upperBound)" }

private func timeText(_ range: ClosedRange<Duration>) -> String {
  "\(range.lowerBound.secondsText)…\(range.upperBound.secondsText) s"
}
