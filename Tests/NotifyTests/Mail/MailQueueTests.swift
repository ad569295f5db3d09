import NIOCore
import NIOEmbedded
import Testing

@testable import Notify

/// Mails on their way, in virtual time.
@Suite struct MailQueueTests {
  private let office = PostOffice()

  private var counts: [Int] { [office.queue.sentCount, office.queue.lostCount, office.queue.count] }

  /// Whether it has been completed.
  private func isDone(_ future: EventLoopFuture<Void>) -> Bool {
    let isDone = NIOLoopBoundBox(false, eventLoop: office.loop)
    future.whenComplete { _ in isDone.value = true }
    office.loop.run()
    return isDone.value
  }

  @Test func oneAfterTheOther() throws {
    defer { office.end() }
    try office.add("a", "b", "c")
    #expect(office.places == ["192.0.2.25 25"], "one connection at a time")
    #expect(office.timeouts == [.seconds(30)])
    #expect(try office.takeAll() == ["a", "b", "c"])
    #expect(counts == [3, 0, 0])
    #expect(office.journal.lines.count == 3)
    #expect(
      office.journal.lines.first
        == "info: mail: sent '[LVS_DEVEL] Realserver a of virtual server [10.0.0.100]:tcp:80 - DOWN' to 1 recipients")
  }

  @Test func aServerThatIsAwayIsAskedLaterAndLater() throws {
    defer { office.end() }
    try office.add("a")
    for pause in [5, 10, 20, 40, 80, 160, 300, 300] {
      try office.refuse()
      office.pass(.milliseconds(Int64(pause) * 1000 - 1))
      #expect(office.openCalls == 0)
      office.pass(.milliseconds(1))
      #expect(office.openCalls == 1, "after \(pause) s")
    }
    #expect(
      office.journal.lines == [
        "warning: mail: cannot send by 192.0.2.25 port 25: connection refused (1 wait, tried again in 5 s and later)"
      ])
    #expect(try office.takeAll() == ["a"])
    #expect(office.journal.lines.contains("notice: mail: 192.0.2.25 port 25 takes mail again, after 8 failures"))
  }

  @Test func whatComesMeanwhileWaitsInOrder() throws {
    defer { office.end() }
    try office.add("a")
    try office.refuse()
    try office.add("b")
    #expect(office.openCalls == 0, "the server is left alone")
    office.pass(.seconds(5))
    #expect(try office.takeAll() == ["a", "b"])
  }

  @Test func whatIsAnHourOldIsGivenUp() throws {
    defer { office.end() }
    try office.add("a")
    office.pass(.minutes(30))
    try office.refuse()
    try office.add("b")
    while counts[1] == 0 {
      office.pass(.seconds(1))
      #expect(office.loop.now < .uptimeNanoseconds(UInt64(TimeAmount.minutes(66).nanoseconds)))
      if office.openCalls > 0 { try office.refuse() }
    }
    #expect(office.loop.now > .uptimeNanoseconds(UInt64(TimeAmount.minutes(59).nanoseconds)))
    #expect(office.journal.lines(with: "Realserver a").first?.hasSuffix("it could not be sent for 3600 s") == true)
    #expect(counts == [0, 1, 1])
  }

  @Test func aMailThatIsRefusedForNowIsTriedSixTimes() throws {
    defer { office.end() }
    try office.add("a", "b")
    for pause in [5, 10, 20, 40, 80] {
      try office.take(["220 a", "250 b", "451 not now", "221 bye"])
      office.pass(.seconds(Int64(pause)))
    }
    #expect(counts == [0, 0, 2])
    try office.take(["220 a", "250 b", "451 not now", "221 bye"])
    #expect(counts[1] == 1)
    #expect(
      office.journal.lines.last?.hasSuffix(
        "is given up: 192.0.2.25 port 25 has refused it 6 times: 451 not now, to MAIL FROM") == true)
    #expect(try office.takeAll() == ["b"])
  }

  @Test func aMailThatIsRefusedForGoodHoldsNobodyUp() throws {
    defer { office.end() }
    try office.add("a", "b")
    try office.take(["220 a", "250 b", "250 c", "250 d", "354 e", "554 spam", "221 bye"])
    #expect(office.journal.lines.last?.hasSuffix("refuses it at the mail's text: 554 spam") == true)
    #expect(try office.takeAll() == ["b"])
    #expect(counts == [1, 1, 0])
  }

  @Test func recipientsThatAreRefused() throws {
    defer { office.end() }
    try office.add("a", to: ["gone@example.org", "full@example.org", "ops@example.org"])
    try office.add("b")
    try office.take(["220", "250", "250", "550 no such user", "452 mailbox full", "250", "354", "250", "221"])
    #expect(office.journal.lines.contains("warning: mail: <gone@example.org> is refused: 550 no such user"))
    #expect(try office.takeAll() == ["b"], "which does not wait for a full mailbox")
    office.pass(.milliseconds(4_999))
    #expect(office.openCalls == 0)
    office.pass(.milliseconds(1))
    let said = try office.take()
    #expect(said.contains("RCPT TO:<full@example.org>\r\nDATA\r\n"), "those that have it do not have it twice")
    #expect(counts == [3, 0, 0])
  }

  @Test func aMailboxThatStaysFullIsGivenUp() throws {
    defer { office.end() }
    try office.add("a", to: ["full@example.org"])
    for pause in [5, 10, 20, 40, 80] {
      try office.take(["220", "250", "250", "452 mailbox full", "221"])
      office.pass(.seconds(Int64(pause)))
    }
    #expect(counts == [0, 0, 1])
    try office.take(["220", "250", "250", "452 mailbox full", "221"])
    #expect(counts == [0, 1, 0])
    #expect(office.journal.lines.last?.hasSuffix("full@example.org refused: 452 mailbox full") == true)
  }

  @Test func withoutAnyRecipientThereIsNoMail() throws {
    defer { office.end() }
    try office.add("a")
    let said = try office.take(["220", "250", "250", "550 no", "221"])
    #expect(said.hasSuffix("RCPT TO:<ops@example.org>\r\nQUIT\r\n"))
    #expect(counts == [0, 1, 0])
  }

  @Test func the257thPushesTheOldestOut() throws {
    defer { office.end() }
    try office.add("in flight")
    for number in 0..<MailQueue.waitingMax { try office.add("\(number)") }
    #expect(counts == [0, 0, 257])
    try office.add("256")
    try office.add("257")
    #expect(counts == [0, 2, 257])
    #expect(office.journal.lines == ["warning: mail: more than 256 wait, the oldest are dropped"])
    _ = try office.take()
    #expect(try office.takeAll() == (2..<258).map(String.init))
    #expect(office.journal.lines.last == "notice: mail: 2 were dropped; none waits any longer")
  }

  @Test func aServerThatFailsDoesNotMakeTheQueueGrow() throws {
    defer { office.end() }
    for number in 0..<1000 {
      try office.add("\(number)")
      if office.openCalls > 0 { try office.refuse() }
    }
    #expect(office.queue.count <= MailQueue.waitingMax + 1)
  }

  @Test func garbageAndSilenceAreFailuresOfTheServer() throws {
    defer { office.end() }
    try office.add("a")
    try office.take(["SSH-2.0-x"])
    #expect(office.journal.lines.last?.contains("'SSH-2.0-x' is no answer to connecting (1 wait") == true)
    office.pass(.seconds(5))
    let silent = try office.accept()
    office.pass(.seconds(30))
    #expect(!silent.isOpen)
    office.pass(.seconds(10))
    #expect(try office.takeAll() == ["a"])
  }

  @Test func anotherServerIsAskedAtOnce() throws {
    defer { office.end() }
    try office.add("a")
    try office.refuse()
    office.queue.configure(Samples.mail { $0.heloName = "other" }, heloName: "other")
    #expect(office.openCalls == 0, "the same server is not")
    office.queue.configure(Samples.mail { ($0.server, $0.port) = ("mail.example.org", 2525) }, heloName: "lb2")
    #expect(office.places.last == "mail.example.org 2525")
    #expect(try office.take().hasPrefix("HELO lb2\r\n"))
  }

  @Test func withoutAServerWhatWaitsIsGivenUp() throws {
    defer { office.end() }
    try office.add("a", "b")
    office.queue.configure(Samples.mail { $0.server = nil }, heloName: "lb1")
    #expect(counts == [0, 1, 1])
    try office.refuse()
    #expect(counts == [0, 2, 0])
    try office.add("c")
    #expect(counts == [0, 2, 0])
  }

  @Test func absurdTimesAreMadeReasonable() throws {
    defer { office.end() }
    for (time, limit) in [(.seconds(0), 1), (.nanoseconds(.max), 3600), (.nanoseconds(.min), 1)]
      as [(TimeAmount, Int64)]
    {
      office.queue.configure(Samples.mail { $0.connectTimeout = time }, heloName: "lb1")
      try office.add("a")
      #expect(office.timeouts.last == .seconds(limit))
      try office.take()
    }
    #expect(counts == [3, 0, 0])
  }

  @Test func closeSendsWhatWaitsOnce() throws {
    defer { office.end() }
    try office.add("a")
    try office.refuse()
    try office.add("b")
    let end = office.queue.close()
    try office.add("too late")
    #expect(!isDone(end))
    #expect(try office.takeAll() == ["a", "b"], "without the pause")
    #expect(isDone(end))
  }

  @Test func closeWhileTheServerIsAway() throws {
    defer { office.end() }
    try office.add("a", "b", "c")
    let end = office.queue.close()
    #expect(!isDone(end))
    try office.refuse()
    #expect(isDone(end), "nobody asks again, for the others neither")
    #expect(office.openCalls == 0)
    #expect(counts == [0, 3, 0])
  }

  @Test func closeWhileAMailIsRefused() throws {
    defer { office.end() }
    try office.add("a", "b")
    let end = office.queue.close()
    try office.take(["220", "250", "250", "450 later", "221"])
    try office.take(["220", "250", "451 later", "221"])
    #expect(isDone(end))
    #expect(counts == [0, 2, 0])
  }

  @Test func closeOfAnEmptyQueue() {
    defer { office.end() }
    #expect(isDone(office.queue.close()))
  }

  @Test func abortWaitsForNothing() throws {
    try office.add("a", "b")
    let end = office.queue.close()
    office.queue.abort()
    #expect(isDone(end))
    #expect(counts == [0, 2, 0])
    let late = try office.accept()
    office.loop.run()
    #expect(!late.isOpen, "a connection that comes later")
    #expect(counts == [0, 2, 0])
  }

  @Test func abortHangsUp() throws {
    try office.add("a")
    let server = try office.accept()
    try server.say("220 a")
    let end = office.queue.close()
    office.queue.abort()
    #expect(isDone(end))
    #expect(!server.isOpen)
    #expect(counts == [0, 1, 0])
  }
}
