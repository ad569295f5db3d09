import Testing

@testable import Notify

/// What FIFOs and mails say: words that people's scripts and filters look for.
@Suite struct NoticeTextTests {
  static let lines: [(Notice.Subject, Notice.Event, String?)] = [
    (Samples.realServer, .up, "RS [10.0.0.1]:tcp:80 [10.0.0.100]:tcp:80 UP\n"),
    (Samples.realServer, .down, "RS [10.0.0.1]:tcp:80 [10.0.0.100]:tcp:80 DOWN\n"),
    (Samples.realServer, .checker(isUp: true), nil),
    (Samples.virtualServer, .up, "VS [10.0.0.100]:tcp:80 UP\n"),
    (Samples.virtualServer, .down, "VS [10.0.0.100]:tcp:80 DOWN\n"),
    (.virtualServer("[web]:80"), .up, "VS [web]:80 UP\n"),
    (.realServer("[10.0.0.1]:tcp:80", of: "FWM 5"), .down, "RS [10.0.0.1]:tcp:80 FWM 5 DOWN\n"),
    (Samples.instance, .state(.master, priority: 100), "INSTANCE \"VI_1\" MASTER 100\n"),
    (Samples.instance, .state(.backup, priority: 90), "INSTANCE \"VI_1\" BACKUP 90\n"),
    (Samples.instance, .state(.fault, priority: 90), "INSTANCE \"VI_1\" FAULT 90\n"),
    (Samples.instance, .state(.stop, priority: 90), "INSTANCE \"VI_1\" STOP 90\n"),
    (Samples.instance, .state(.deleted, priority: 90), "INSTANCE \"VI_1\" DELETED 90\n"),
    (Samples.instance, .masterHeardLowerPriority(priority: 150), "INSTANCE \"VI_1\" MASTER_RX_LOWER_PRI 150\n"),
    (Samples.instance, .priority(.master, 120), "INSTANCE \"VI_1\" MASTER_PRIORITY 120\n"),
    (Samples.instance, .priority(.backup, 120), "INSTANCE \"VI_1\" BACKUP_PRIORITY 120\n"),
    (Samples.instance, .priority(.fault, 120), nil),
    (Samples.group, .state(.backup, priority: 77), "GROUP \"VG_1\" BACKUP 0\n"),
    (Samples.group, .state(.master, priority: 77), "GROUP \"VG_1\" MASTER 0\n"),
    // What does not go together has no line.
    (Samples.instance, .up, nil),
    (Samples.realServer, .state(.master, priority: 1), nil),
    (Samples.virtualServer, .checker(isUp: false), nil),
  ]

  @Test func lineOfAPipe() {
    for (subject, event, line) in Self.lines {
      #expect(Notice(subject, event).line == line, "\(subject) \(event)")
    }
  }

  static let mails: [(Notice.Subject, Notice.Event, String?, String)] = [
    (
      Samples.realServer, .up, "Realserver [10.0.0.1]:tcp:80 of virtual server [10.0.0.100]:tcp:80 - UP",
      "=> service is up <="
    ),
    (
      Samples.realServer, .checker(isUp: false),
      "Realserver [10.0.0.1]:tcp:80 of virtual server [10.0.0.100]:tcp:80 - DOWN", "=> check failed on service <="
    ),
    (Samples.virtualServer, .down, "Virtualserver [10.0.0.100]:tcp:80 - DOWN", "=> quorum lost <="),
    (
      Samples.instance, .state(.master, priority: 1), "VRRP Instance VI_1 - Entering MASTER state",
      "=> VIPs now owned <="
    ),
    (
      Samples.instance, .state(.backup, priority: 1), "VRRP Instance VI_1 - Entering BACKUP state",
      "=> VIPs no longer owned <="
    ),
    (
      Samples.instance, .state(.fault, priority: 1), "VRRP Instance VI_1 - Entering FAULT state",
      "=> VIPs no longer owned <="
    ),
    (Samples.instance, .state(.stop, priority: 1), "VRRP Instance VI_1 - Stopping", "=> shutting down <="),
    (Samples.instance, .state(.deleted, priority: 1), "VRRP Instance VI_1 - Deleted", "=> no longer configured <="),
    (
      Samples.group, .state(.master, priority: 1), "VRRP Group VG_1 - Entering MASTER state",
      "=> all instances of the group are MASTER now <="
    ),
    (Samples.group, .state(.stop, priority: 1), "VRRP Group VG_1 - Stopping", "=> shutting down <="),
    (Samples.instance, .masterHeardLowerPriority(priority: 9), nil, "=> priority 9 <="),
    (Samples.virtualServer, .checker(isUp: true), nil, "=> check succeeded on service <="),
  ]

  @Test func subjectAndTextOfAMail() {
    for (subject, event, words, body) in Self.mails {
      let notice = Notice(subject, event)
      #expect(notice.mailSubject == words)
      #expect(notice.mailBody == body)
    }
  }

  @Test func aDetailReplacesWhatTheEventSays() {
    #expect(Notice(Samples.realServer, .down, detail: "TCP CHECK failed").mailBody == "=> TCP CHECK failed <=")
  }

  @Test func aNameMakesNoOtherLine() {
    let notice = Notice(.instance("VI\nINSTANCE \"VI_2\"\r\u{0}\u{7f}\u{85}"), .state(.master, priority: 1))
    #expect(notice.line == "INSTANCE \"VI?INSTANCE \"VI_2\"????\" MASTER 1\n")
    #expect("plain é 世界".withoutControls == "plain é 世界")
  }
}
