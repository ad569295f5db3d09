import Glibc
import Kernel

/// What a client may do, by who it is: the kernel says so, not the client.
enum AdminRights: Int, Comparable {
  case none
  /// Listings.
  case ask
  /// Every change.
  case change
  /// Besides, whatever lbd itself may do, such as reading a file that it is told of: who could do so without asking.
  case all

  static func < (left: AdminRights, right: AdminRights) -> Bool { left.rawValue < right.rawValue }

  /// Its members may change everything, as root may.
  static let changingGroup = "lbd"
  /// Its members may ask.
  static let askingGroup = "lbd-read"

  /// - Parameter own: the user lbd runs as.
  init(_ peer: PeerCredentials, own: UInt32, changing: UInt32?, asking: UInt32?) {
    let groups = peer.groups + [peer.group]
    if peer.user == 0 || peer.user == own {
      self = .all
    } else if changing.map(groups.contains) == true {
      self = .change
    } else if asking.map(groups.contains) == true {
      self = .ask
    } else {
      self = .none
    }
  }

  /// The number of a group, if this system has it.
  static func group(named name: String) -> UInt32? {
    var record = Glibc.group()
    var result: UnsafeMutablePointer<Glibc.group>?
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16384) { buffer in
      guard let base = buffer.baseAddress, getgrnam_r(name, &record, base, buffer.count, &result) == 0,
        result != nil
      else { return nil }
      return record.gr_gid
    }
  }
}
