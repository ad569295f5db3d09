import Glibc

/// Users and groups of this host by name.
enum PasswordFile {
  /// A user's number, and that of its group.
  static func user(_ name: String) -> (userID: uid_t, groupID: gid_t)? {
    entry { (buffer: inout [CChar], found: inout (userID: uid_t, groupID: gid_t)?) in
      var entry = passwd()
      var result: UnsafeMutablePointer<passwd>?
      let code = getpwnam_r(name, &entry, &buffer, buffer.count, &result)
      if result != nil { found = (entry.pw_uid, entry.pw_gid) }
      return code
    }
  }

  /// A group's number.
  static func group(_ name: String) -> gid_t? {
    entry { (buffer: inout [CChar], found: inout gid_t?) in
      var entry = Glibc.group()
      var result: UnsafeMutablePointer<Glibc.group>?
      let code = getgrnam_r(name, &entry, &buffer, buffer.count, &result)
      if result != nil { found = entry.gr_gid }
      return code
    }
  }

  /// The name of the user that this process is.
  static var ownName: String {
    let name: String? = entry { (buffer: inout [CChar], found: inout String?) in
      var entry = passwd()
      var result: UnsafeMutablePointer<passwd>?
      let code = getpwuid_r(geteuid(), &entry, &buffer, buffer.count, &result)
      if result != nil { found = entry.pw_name.map { String(cString: $0) } }
      return code
    }
    return name ?? "root"
  }

  /// Looks something up with a buffer that is large enough, up to a megabyte: groups list all their members.
  private static func entry<Value>(_ look: (inout [CChar], inout Value?) -> Int32) -> Value? {
    var size = 4096
    while size <= 1 << 20 {
      var found: Value?
      var buffer = [CChar](repeating: 0, count: size)
      if look(&buffer, &found) != ERANGE { return found }
      size *= 4
    }
    return nil
  }
}
