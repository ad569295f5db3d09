import Glibc
import Kernel

/// A kernel setting under /proc/sys, in the network namespace of the calling thread.
public struct SystemSetting: Hashable, Sendable, Codable, CustomStringConvertible {
  /// The parts of its path: `net`, `ipv4`, `conf`, `all`, `arp_ignore`.
  public let components: [String]

  private static let byteCountLimit = 4096

  /// A setting by the parts of its path; no part may lead out of /proc/sys.
  public init?(_ components: [String]) {
    guard !components.isEmpty,
      components.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && !$0.contains("/") && !$0.contains("\0") })
    else { return nil }
    self.components = components
  }

  /// Reads what `encode(to:)` wrote, with the same checks as `init(_:)`.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    guard let setting = SystemSetting(try container.decode([String].self)) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "not the path of a setting")
    }
    self = setting
  }

  /// Writes the parts as a list.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(components)
  }

  /// `net.ipv4.conf.INTERFACE.NAME`, where the interface may be `all`.
  public static func ipv4(_ interface: String, _ name: String) throws -> SystemSetting {
    guard let setting = SystemSetting(["net", "ipv4", "conf", interface, name]) else {
      throw SystemError("use interface \(interface)", errno: EINVAL, remedy: "not the name of an interface")
    }
    return setting
  }

  /// The file's path.
  public var path: String { "/proc/sys/" + components.joined(separator: "/") }

  /// As sysctl(8) writes it: dots between the parts, and a slash for a dot inside one (`eth0/5`).
  public var description: String {
    components.map { String($0.map { $0 == "." ? "/" : $0 }) }.joined(separator: ".")
  }

  /// The value, without the newline.
  public func read() throws -> String {
    let file = try FileDescriptor(
      checking: open(path, O_RDONLY | O_CLOEXEC), "read \(self)", remedy: SystemSetting.remedy(errno))
    var bytes = [UInt8](repeating: 0, count: SystemSetting.byteCountLimit)
    let count = Glibc.read(file.number, &bytes, bytes.count)
    guard count >= 0 else { throw SystemError.current("read \(self)") }
    let text = bytes[..<count].prefix { $0 != 0 }
    return String(decoding: text.reversed().drop { $0 <= 32 }.reversed(), as: UTF8.self)
  }

  /// Sets the value.
  public func write(_ value: String) throws {
    let file = try FileDescriptor(
      checking: open(path, O_WRONLY | O_CLOEXEC), "set \(self)", remedy: SystemSetting.remedy(errno))
    let bytes = Array(value.utf8)
    guard Glibc.write(file.number, bytes, bytes.count) == bytes.count else {
      throw SystemError.current("set \(self)", remedy: SystemSetting.remedy(errno))
    }
  }

  private static func remedy(_ number: Int32) -> String? {
    switch number {
    case EACCES, EPERM: "run as root"
    case ENOENT: "no such interface, or a kernel without this setting"
    case EROFS: "/proc/sys is read-only here: set it on the host of this container"
    default: nil
    }
  }
}
