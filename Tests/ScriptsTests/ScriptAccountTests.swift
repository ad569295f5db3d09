import Glibc
import Testing

@testable import Scripts

struct ScriptAccountTests {
  @Test(.enabled(if: Workshop.isRoot, "needs root")) func theNearestNameCounts() throws {
    let nobody = try #require(ScriptAccount.user("nobody"))
    let tty = try #require(ScriptAccount.group("tty"))
    let rules = ScriptRules(user: "nobody", group: "tty")
    func account(_ user: String?, _ group: String?, _ rules: ScriptRules) throws -> ScriptAccount {
      try ScriptAccount.account(of: Script(words: ["x"], user: user, group: group), rules: rules)
    }
    #expect(try account(nil, nil, rules) == ScriptAccount(name: "nobody", userID: nobody.userID, groupID: tty))
    #expect(try account("root", nil, ScriptRules(user: "nobody")).groupID == 0)
    #expect(try account("nobody", nil, ScriptRules()) == nobody)
    #expect(try account("nobody", "tty", ScriptRules()).groupID == tty)
    let standard = try account(nil, nil, ScriptRules())
    #expect(standard == ScriptAccount.user(ScriptAccount.customaryName) ?? ScriptAccount.own)
  }

  @Test func unknownNamesAreErrors() {
    let rows = [("no such user", nil, "there is no user 'no such user'"), ("root", "none", "there is no group 'none'")]
    for (user, group, reason) in rows {
      let error = #expect(throws: ScriptFailure.self) {
        try ScriptAccount.account(of: Script(words: ["x"], user: user, group: group), rules: ScriptRules())
      }
      #expect(error?.reason == reason && error?.step == "run x")
    }
  }
}
