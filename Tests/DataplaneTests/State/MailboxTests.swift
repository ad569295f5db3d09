import CShims
import Glibc
import Kernel
import Testing

@testable import Dataplane

/// Control's words to a worker.
@Suite struct MailboxTests {
  private func view(_ number: Int) -> UnsafePointer<SnapshotView> {
    UnsafePointer(bitPattern: number * 64)!
  }

  private func number(_ message: Mailbox.Message?) -> Int {
    switch message {
    case .snapshot(let view): Int(bitPattern: view) / 64
    case .remember: -3
    case .stop: -1
    case nil: -2
    }
  }

  @Test func inOrder() {
    let mailbox = Mailbox()
    #expect(!mailbox.hasMail)
    #expect(number(mailbox.take()) == -2)
    for round in 0..<5 {
      for message in 1...100 { #expect(mailbox.post(.snapshot(view(round * 100 + message)))) }
      #expect(mailbox.post(.stop))
      #expect(mailbox.hasMail)
      for message in 1...100 { #expect(number(mailbox.take()) == round * 100 + message) }
      #expect(number(mailbox.take()) == -1)
      #expect(!mailbox.hasMail)
    }
  }

  @Test func remembering() {
    let mailbox = Mailbox()
    #expect(mailbox.post(.remember))
    #expect(number(mailbox.take()) == -3)
    #expect(mailbox.reportedMemories == 0)
    mailbox.reportMemory()
    #expect(mailbox.reportedMemories == 1)
  }

  @Test func full() {
    let mailbox = Mailbox()
    var count = 0
    while mailbox.post(.snapshot(view(count + 1))) { count += 1 }
    #expect(count == 256)
    #expect(number(mailbox.take()) == 1)
    #expect(mailbox.post(.stop))
    #expect(!mailbox.post(.stop))
    for message in 2...256 { #expect(number(mailbox.take()) == message) }
    #expect(number(mailbox.take()) == -1)
  }

  @Test func reports() {
    let mailbox = Mailbox()
    #expect(mailbox.reportedGeneration == 0)
    mailbox.report(generation: 17)
    #expect(mailbox.reportedGeneration == 17)
  }

  /// One thread posts, one takes.
  @Test func acrossThreads() throws {
    let mailbox = Mailbox()
    let writer = try PinnedThread.start(name: "mailbox-writer", core: nil) {
      for message in 1...20_000 {
        while !mailbox.post(.snapshot(UnsafePointer(bitPattern: message * 64)!)) { sched_yield() }
      }
    }
    var next = 1
    while next <= 20_000 {
      guard mailbox.hasMail else {
        sched_yield()
        continue
      }
      let found = number(mailbox.take())
      if found != next {
        Issue.record("\(found) instead of \(next)")
        break
      }
      next += 1
    }
    writer.join()
  }

  /// A pipeline without a thread takes the latest of any number of snapshots, and the others are freed.
  @Test func manySnapshotsBetweenTwoTurns() throws {
    let director = try Director(TestService())
    director.services[0].weights = [0]
    for _ in 0..<1000 { director.dataplane.publish(director.description) }
    director.services[0].weights = [1]
    director.publish()
    #expect(director.dataplane.isSettled)
    #expect(director.fromClient(.request(director.services[0])).outcome == .directRouting)
    director.verifyEmptyAfterExpiry()
  }
}
