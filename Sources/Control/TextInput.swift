import Glibc
import Kernel

/// Whole files of text, up to a bound.
public enum TextInput {
  /// What the file holds.
  public static func bytes(_ path: String) throws -> [UInt8] { try ConfigurationFile(path: path).bytes() }
}
