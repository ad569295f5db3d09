import Glibc
import Testing

@testable import Kernel

struct EventDescriptorTests {
  @Test func countsAndClears() throws {
    let event = try EventDescriptor()
    #expect(event.clear() == 0)
    event.raise()
    event.raise()
    #expect(event.clear() == 2)
    #expect(event.clear() == 0)
  }
}
