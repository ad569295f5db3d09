import Glibc

/// Whose rights a script has: one user and one group. Further groups of the user are left out, as keepalived does.
public struct ScriptAccount: Hashable, Sendable {
  /// The user's name, for messages.
  public let name: String
  /// The user.
  public let userID: UInt32
  /// The only group.
  public let groupID: UInt32

  /// The user that scripts have when nobody is named, if there is such a user.
  static let customaryName = "keepalived_script"

  /// The account of a script: what it says itself, else what the rules say.
  /// - Throws: when there is no such user or group, or this process may not become it.
  static func account(of script: Script, rules: ScriptRules) throws(ScriptFailure) -> ScriptAccount {
    let step = "run \(script.words.first ?? "a script")"
    let account: ScriptAccount
    if let user = script.user {
      account = try named(user, group: script.group, step: step)
    } else if let user = rules.user {
      account = try named(user, group: script.group ?? rules.group, step: step)
    } else if let customary = user(customaryName) {
      account = try with(customary, group: script.group, step: step)
    } else {
      account = try with(own, group: script.group, step: step)
    }
    guard geteuid() == 0 || (account.userID == geteuid() && account.groupID == getegid()) else {
      throw ScriptFailure(
        step, errno: EPERM,
        remedy: "only root may run it as \(account.name); start lbd as root or name no other user and group")
    }
    return account
  }

  /// This process's own.
  static var own: ScriptAccount {
    var account = ScriptAccount(name: "user \(geteuid())", userID: geteuid(), groupID: getegid())
    if geteuid() == 0 { account = ScriptAccount(name: "root", userID: 0, groupID: getegid()) }
    return account
  }

  /// True when a program has to change its user or group to run as this account.
  var isForeign: Bool { userID != geteuid() || groupID != getegid() }

  private static func named(_ name: String, group: String?, step: String) throws(ScriptFailure) -> ScriptAccount {
    guard let account = user(name) else {
      throw ScriptFailure(step, "there is no user '\(name)'", remedy: "create it: useradd -r \(name), or name another")
    }
    return try with(account, group: group, step: step)
  }

  private static func with(
    _ account: ScriptAccount, group name: String?, step: String
  ) throws(ScriptFailure)
    -> ScriptAccount
  {
    guard let name else { return account }
    guard let groupID = group(name) else {
      throw ScriptFailure(
        step, "there is no group '\(name)'", remedy: "create it: groupadd -r \(name), or name another")
    }
    return ScriptAccount(name: account.name, userID: account.userID, groupID: groupID)
  }

  /// A user with the group it has by itself.
  static func user(_ name: String) -> ScriptAccount? {
    entry { (buffer: inout [CChar], found: inout ScriptAccount?) in
      var entry = passwd()
      var result: UnsafeMutablePointer<passwd>?
      let code = getpwnam_r(name, &entry, &buffer, buffer.count, &result)
      if result != nil { found = ScriptAccount(name: name, userID: entry.pw_uid, groupID: entry.pw_gid) }
      return code
    }
  }

  /// A group's number.
  static func group(_ name: String) -> UInt32? {
    entry { (buffer: inout [CChar], found: inout UInt32?) in
      var entry = Glibc.group()
      var result: UnsafeMutablePointer<Glibc.group>?
      let code = getgrnam_r(name, &entry, &buffer, buffer.count, &result)
      if result != nil { found = entry.gr_gid }
      return code
    }
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
