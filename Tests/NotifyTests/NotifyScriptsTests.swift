import Testing

@testable import Notify

@Suite struct NotifyScriptsTests {
  /// A script for each keyword, that of `notify` with an argument of its own.
  private static let scripts = Dictionary(
    uniqueKeysWithValues: [
      "notify_up", "notify_down", "quorum_up", "quorum_down", "notify_master", "notify_backup", "notify_fault",
      "notify_stop", "notify_deleted", "notify_master_rx_lower_pri", "notify",
    ].map { ($0, NotifyScript(words: ["/etc/\($0).sh", "own argument"])) })

  private func words(_ subject: Notice.Subject, _ event: Notice.Event) -> [[String]] {
    NotifyScripts.calls(for: Notice(subject, event, scripts: Self.scripts)).map(\.words)
  }

  @Test func serversHaveTheirOwnArgumentsOnly() {
    #expect(words(Samples.realServer, .up) == [["/etc/notify_up.sh", "own argument"]])
    #expect(words(Samples.realServer, .down) == [["/etc/notify_down.sh", "own argument"]])
    #expect(words(Samples.virtualServer, .up) == [["/etc/quorum_up.sh", "own argument"]])
    #expect(words(Samples.virtualServer, .down) == [["/etc/quorum_down.sh", "own argument"]])
    #expect(words(Samples.realServer, .checker(isUp: true)).isEmpty)
  }

  @Test(arguments: Notice.VRRPState.allCases)
  func statesRunTheirOwnScriptAndThenNotify(_ state: Notice.VRRPState) {
    let own = ["/etc/notify_\(state.rawValue.lowercased()).sh", "own argument"]
    #expect(
      words(Samples.instance, .state(state, priority: 101)) == [
        own, ["/etc/notify.sh", "own argument", "INSTANCE", "VI_1", state.rawValue, "101"],
      ])
    #expect(
      words(Samples.group, .state(state, priority: 101)) == [
        own, ["/etc/notify.sh", "own argument", "GROUP", "VG_1", state.rawValue, "0"],
      ])
  }

  @Test func lowerPriorityIsNoState() {
    #expect(
      words(Samples.instance, .masterHeardLowerPriority(priority: 9)) == [
        ["/etc/notify_master_rx_lower_pri.sh", "own argument"]
      ])
    #expect(words(Samples.instance, .priority(.master, 9)).isEmpty)
  }

  @Test func whoRunsItStays() {
    let script = NotifyScript(words: ["/x"], user: "nobody", group: "daemon")
    let calls = NotifyScripts.calls(
      for: Notice(Samples.instance, .state(.master, priority: 5), scripts: ["notify": script]))
    #expect(
      calls == [NotifyScript(words: ["/x", "INSTANCE", "VI_1", "MASTER", "5"], user: "nobody", group: "daemon")])
  }

  @Test func aScriptWithoutWordsIsNone() {
    let scripts = ["notify_up": NotifyScript(words: []), "notify_down": NotifyScript(words: ["", "x"])]
    #expect(NotifyScripts.calls(for: Notice(Samples.realServer, .up, scripts: scripts)).isEmpty)
    #expect(NotifyScripts.calls(for: Notice(Samples.realServer, .down, scripts: scripts)).isEmpty)
  }
}
