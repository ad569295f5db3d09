import Glibc
import Testing

@testable import Kernel

struct NetworkNamespaceTests {
  @Test func missing() {
    let error = #expect(throws: SystemError.self) { try NetworkNamespace.enter("lbd-\(getpid())-there-is-none") }
    #expect(error?.number == ENOENT)
  }
}
