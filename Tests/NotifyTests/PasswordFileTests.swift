import Glibc
import Testing

@testable import Notify

@Suite struct PasswordFileTests {
  @Test func rootIsKnown() {
    let root = PasswordFile.user("root")
    #expect(root?.userID == 0)
    #expect(root?.groupID == 0)
    #expect(PasswordFile.group("root") == 0)
  }

  @Test func othersAreNot() {
    #expect(PasswordFile.user("no such user here") == nil)
    #expect(PasswordFile.group("no such group here") == nil)
    #expect(PasswordFile.user("") == nil)
    #expect(PasswordFile.user("root\u{0}") != nil, "a name ends at its first zero, as C has it")
  }

  @Test func ownNameIsTheUsersOfThisProcess() {
    #expect(PasswordFile.user(PasswordFile.ownName)?.userID == geteuid())
  }
}
