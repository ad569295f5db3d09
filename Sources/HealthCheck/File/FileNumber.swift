import Glibc

/// The number at the beginning of a file, as C reads it (`strtol` with base 0): blanks, a sign, digits in base 10, in base
/// 8 after `0`, in base 16 after `0x`; what follows does not matter. A file that is not there, is empty or begins with
/// anything else has the number 0.
enum FileNumber {
  /// Bytes that are looked at.
  static let byteLimit = 128

  /// What a text says.
  /// - Returns: nil for a number that 32 bits do not hold.
  static func parse(_ text: some Sequence<UInt8>) -> Int? {
    var rest = Array(text.prefix(byteLimit - 1))[...]
    rest = rest.drop { $0 == 0x20 || (9...13).contains($0) }
    let sign = rest.first
    if sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") { rest = rest.dropFirst() }
    var base = 10
    if rest.first == UInt8(ascii: "0") {
      base = 8
      let behind = rest.dropFirst()
      if behind.first.map({ $0 | 0x20 }) == UInt8(ascii: "x"), behind.dropFirst().first.flatMap(digit) != nil {
        base = 16
        rest = behind.dropFirst()
      }
    }
    var number = 0
    for value in rest.lazy.map({ digit($0) ?? 16 }).prefix(while: { $0 < base }) {
      number = number * base + value
      // Far from the end of Int, far beyond 32 bits.
      guard number <= Int(UInt32.max) else { return nil }
    }
    return Int32(exactly: sign == UInt8(ascii: "-") ? -number : number).map(Int.init)
  }

  private static func digit(_ byte: UInt8) -> Int? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(byte) - 48
    case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(byte) - 87
    case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(byte) - 55
    default: nil
    }
  }

  /// Reads a file; not for an event loop, disks may be slow.
  static func read(_ path: String) -> Result<Int, CheckError> {
    // Without O_NONBLOCK, a pipe would be waited for.
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY)
    guard descriptor >= 0 else {
      return errno == ENOENT || errno == ENOTDIR
        ? .success(0) : .failure(.cannotRun(step: "open \(path)", errno: errno))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      return .failure(.definition("\(path) is no file with a number in it"))
    }
    var bytes = [UInt8](repeating: 0, count: byteLimit)
    let count = Glibc.read(descriptor, &bytes, bytes.count)
    guard count >= 0 else { return .failure(.cannotRun(step: "read \(path)", errno: errno)) }
    guard let number = parse(bytes[..<count]) else { return .failure(.definition("\(path) has no number of 32 bits")) }
    return .success(number)
  }
}

extension FileDefinition {
  /// What a number means for the server.
  func result(of number: Int) -> AttemptResult {
    if weight == 0 { return (number == 0) == isReversed ? .failed(.fileNumber(number)) : .well() }
    let (product, overflow) = number.multipliedReportingOverflow(by: weight)
    // A product that large has the sign of its factors.
    let isNegative = (overflow ? (number < 0) != (weight < 0) : product < 0) != isReversed
    let size = overflow ? UInt(Int32.max) + 1 : min(product.magnitude, UInt(Int32.max) + 1)
    if isNegative, size > UInt(Int32.max) { return .failed(.fileNumber(number)) }
    let change = Int(min(size, UInt(Int32.max)))
    return .well(.add(isNegative ? -change : change))
  }
}
