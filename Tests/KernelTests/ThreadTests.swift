import Glibc
import Synchronization
import Testing

@testable import Kernel

struct ThreadTests {
  @Test func bodyRunsOnItsCoreUnderItsName() throws {
    let core = try #require(Thread.availableCores().last)
    let seen = Mutex<(cores: [Int], name: String)>(([], ""))
    try withoutActuallyEscaping({ @Sendable () -> Void in
      seen.withLock {
        $0 = (Thread.availableCores(), KernelFile.read("/proc/thread-self/comm") ?? "")
      }
    }) { body in
      try PinnedThread.start(name: "a name longer than the limit", core: core, body: body).join()
    }
    #expect(seen.withLock { $0.cores } == [core])
    #expect(seen.withLock { $0.name } == "a name longer t")
  }

  @Test(arguments: [-1, 1023, 1024, Int.max])
  func missingCoresAreRefused(core: Int) {
    let error = #expect(throws: SystemError.self) {
      try PinnedThread.start(name: "worker", core: core) {}.join()
    }
    #expect(error?.number == EINVAL)
    #expect(error?.step == "start thread worker on core \(core)")
  }

  @Test func pinningTheCurrentThread() throws {
    let core = try #require(Thread.availableCores().first)
    let seen = Mutex<[Int]>([])
    try withoutActuallyEscaping({ @Sendable () -> Void in
      try? Thread.pinCurrent(to: core)
      seen.withLock { $0 = Thread.availableCores() }
    }) { try PinnedThread.start(name: "pin", core: nil, body: $0).join() }
    #expect(seen.withLock { $0 } == [core])
    #expect(throws: SystemError.self) { try Thread.pinCurrent(to: 1023) }
  }
}
