import Glibc
import Testing

@testable import Kernel

struct SystemMemoryTests {
  /// What is free or in buffers is something, and less than there is.
  @Test func availableIsPartOfAll() throws {
    let pages = try #require(SystemMemory.availablePages())
    let all = sysconf(Int32(_SC_PHYS_PAGES))
    #expect(pages > 0 && pages < UInt64(all))
  }
}
