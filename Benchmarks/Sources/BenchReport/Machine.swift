import Glibc

/// The machine that something was measured on.
public struct Machine: Sendable {
  /// `Intel(R) Xeon(R) …`.
  public let processor: String
  /// That this process may run on.
  public let cores: Int
  /// Name and version of the system.
  public let kernel: String
  /// Day and time of the measurement, UTC.
  public let date: String

  /// This machine, now.
  public static func current() -> Machine {
    let model = lines(of: "/proc/cpuinfo").first { $0.hasPrefix("model name") }
    let name = model?.split(separator: ":", maxSplits: 1).last.map { trimmed(String($0)) }
    return Machine(
      processor: name ?? "an unknown processor", cores: max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))),
      kernel: kernelName(), date: utcNow())
  }

  /// One line for people.
  public var text: String { "\(processor), \(cores) core\(cores == 1 ? "" : "s"), \(kernel), \(date)" }

  private static func kernelName() -> String {
    "Linux " + (lines(of: "/proc/sys/kernel/osrelease").first ?? "of unknown version")
  }

  private static func utcNow() -> String {
    var now = time(nil)
    var parts = tm()
    gmtime_r(&now, &parts)
    func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
    return "\(parts.tm_year + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
      + " \(two(parts.tm_hour)):\(two(parts.tm_min)) UTC"
  }

  private static func trimmed(_ text: String) -> String {
    text.split(separator: " ").joined(separator: " ")
  }

  /// The beginning of a small file, in lines; none when it cannot be read.
  private static func lines(of path: String) -> [String] {
    guard let file = fopen(path, "re") else { return [] }
    defer { fclose(file) }
    let bytes = [UInt8](unsafeUninitializedCapacity: 16_384) { buffer, count in
      count = fread(buffer.baseAddress, 1, buffer.count, file)
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { trimmed(String($0)) }
  }
}
