import Glibc

/// The terminal a program runs in: its size, its keys one by one, and a screen of its own that goes when the program does.
public enum Terminal {
  /// True when standard input and output are one.
  public static var isThere: Bool { isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 }

  /// Columns and rows; what there usually are where nobody says.
  public static var size: (columns: Int, rows: Int) {
    var window = winsize()
    guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &window) == 0, window.ws_col > 0, window.ws_row > 0 else {
      return (80, 24)
    }
    return (Int(window.ws_col), Int(window.ws_row))
  }

  /// Writes all of it; false when nobody reads it any more.
  @discardableResult
  public static func write(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return bytes.withUnsafeBytes { buffer in
      var written = 0
      while written < buffer.count, let base = buffer.baseAddress {
        let count = Glibc.write(STDOUT_FILENO, base + written, buffer.count - written)
        if count < 0, errno != EINTR, errno != EAGAIN { return false }
        written += max(0, count)
      }
      return true
    }
  }

  /// Does something on a screen of its own, with keys that come one by one and are not shown.
  public static func withScreen<Result>(_ body: () throws -> Result) rethrows -> Result {
    var before = termios()
    let isKnown = tcgetattr(STDIN_FILENO, &before) == 0
    var raw = before
    raw.c_lflag &= ~tcflag_t(ICANON | ECHO)
    if isKnown { tcsetattr(STDIN_FILENO, TCSANOW, &raw) }
    // Another screen, without a cursor.
    write("\u{1b}[?1049h\u{1b}[?25l")
    defer {
      write("\u{1b}[?25h\u{1b}[?1049l")
      if isKnown { tcsetattr(STDIN_FILENO, TCSANOW, &before) }
    }
    return try body()
  }

  /// What was typed; empty at the end of the input.
  public static func keys() -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = read(STDIN_FILENO, &bytes, bytes.count)
    return Array(bytes.prefix(max(0, count)))
  }
}
