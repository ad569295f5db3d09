/// How the table is looked at, and what keys do to that.
struct TopView: Equatable {
  var order = TopRow.Order.listed
  var filter = ""
  /// Keys go into the filter.
  var isTyping = false
  var isPaused = false
  /// Servers are shown below their services.
  var showsServers = true
  /// The first row of the table that is shown.
  var first = 0
  private var escape: [UInt8] = []

  /// What a key asks for beyond the view.
  enum Wish: Equatable {
    case nothing
    case redraw
    case quit
  }

  /// Takes keys as they come.
  mutating func take(_ keys: [UInt8], page: Int) -> Wish {
    var wish = Wish.nothing
    for key in keys {
      switch take(key, page: page) {
      case .quit: return .quit
      case .redraw: wish = .redraw
      case .nothing: break
      }
    }
    // A lone escape ends the filter.
    if escape == [27] {
      escape = []
      if isTyping || !filter.isEmpty { wish = .redraw }
      (isTyping, filter) = (false, "")
    }
    return wish
  }

  private mutating func take(_ key: UInt8, page: Int) -> Wish {
    if key == 27 {
      escape = [27]
      return .nothing
    }
    if !escape.isEmpty { return takeEscape(key, page: page) }
    if isTyping { return takeFilter(key) }
    switch key {
    case UInt8(ascii: "q"), UInt8(ascii: "Q"): return .quit
    case UInt8(ascii: "s"): step(1)
    case UInt8(ascii: "S"): step(-1)
    case UInt8(ascii: "/"): (isTyping, filter, first) = (true, "", 0)
    case UInt8(ascii: "p"): isPaused.toggle()
    case UInt8(ascii: "v"): showsServers.toggle()
    case UInt8(ascii: "j"): first += 1
    case UInt8(ascii: "k"): first = max(0, first - 1)
    case UInt8(ascii: " "): first += page
    case UInt8(ascii: "b"): first = max(0, first - page)
    case UInt8(ascii: "g"): first = 0
    case 12: break
    default: return .nothing
    }
    return .redraw
  }

  private mutating func takeEscape(_ key: UInt8, page: Int) -> Wish {
    escape.append(key)
    switch key {
    case UInt8(ascii: "["), UInt8(ascii: "O"), UInt8(ascii: "0")...UInt8(ascii: "9"): return .nothing
    case UInt8(ascii: "A"): first = max(0, first - 1)
    case UInt8(ascii: "B"): first += 1
    case UInt8(ascii: "~") where escape.dropLast().last == UInt8(ascii: "5"): first = max(0, first - page)
    case UInt8(ascii: "~") where escape.dropLast().last == UInt8(ascii: "6"): first += page
    default: break
    }
    escape = []
    return .redraw
  }

  private mutating func takeFilter(_ key: UInt8) -> Wish {
    switch key {
    case 10, 13: isTyping = false
    case 8, 127: filter = String(filter.dropLast())
    case 32...126 where filter.utf8.count < 64: filter.unicodeScalars.append(Unicode.Scalar(key))
    default: return .nothing
    }
    first = 0
    return .redraw
  }

  private mutating func step(_ amount: Int) {
    let all = TopRow.Order.allCases
    guard let index = all.firstIndex(of: order) else { return }
    order = all[(index + amount + all.count) % all.count]
    first = 0
  }
}
