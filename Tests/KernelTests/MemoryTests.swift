import CShims
import Glibc
import Testing

@testable import Kernel

struct MemoryTests {
  @Test(arguments: [1, 4096, 2 << 20, (2 << 20) + 1, 5 << 20])
  func privateMemoryIsAlignedZeroedAndLargeEnough(byteCount: Int) throws {
    let memory = try MappedMemory(byteCount: byteCount)
    #expect(memory.byteCount >= byteCount && memory.byteCount < byteCount + (2 << 20))
    #expect(Int(bitPattern: memory.base) % (2 << 20) == 0)
    let bytes = UnsafeMutableRawBufferPointer(start: memory.base, count: memory.byteCount)
    #expect(bytes.allSatisfy { $0 == 0 })
    bytes[0] = 1
    bytes[bytes.count - 1] = 2
    #expect(memory.descriptor == -1)
  }

  @Test func prefaultedMemoryIsResident() throws {
    let memory = try MappedMemory(byteCount: 4 << 20, hugePages: .never, prefault: true)
    var resident = [UInt8](repeating: 0, count: memory.byteCount / 4096)
    #expect(mincore(memory.base, memory.byteCount, &resident) == 0)
    #expect(resident.allSatisfy { $0 & 1 == 1 })
    #expect(memory.usesHugePages == false)
  }

  @Test func addressSpaceIsGivenBack() throws {
    for _ in 0..<10_000 {
      // Together more than the 47 bits of address space there are.
      let memory = try MappedMemory(byteCount: 16 << 30, hugePages: .never)
      #expect(memory.byteCount == 16 << 30)
    }
  }

  @Test(arguments: [0, -1, Int.max])
  func nonsenseIsRefused(byteCount: Int) {
    #expect(throws: SystemError.self) { _ = try MappedMemory(byteCount: byteCount) }
  }

  @Test func sharedMemoryIsAdopted() throws {
    let memory = try MappedMemory(sharedNamed: "lbd-test", byteCount: 3 << 20)
    memory.base.storeBytes(of: 0x1234_5678, toByteOffset: 1 << 20, as: UInt32.self)
    let adopted = try MappedMemory(adopting: FileDescriptor(adopting: dup(memory.descriptor)))
    #expect(adopted.byteCount == memory.byteCount)
    #expect(adopted.base != memory.base)
    #expect(adopted.base.load(fromByteOffset: 1 << 20, as: UInt32.self) == 0x1234_5678)
    adopted.base.storeBytes(of: 7, toByteOffset: 0, as: UInt8.self)
    #expect(memory.base.load(as: UInt8.self) == 7)
  }

  @Test func whatIsNotMemoryIsNotAdopted() throws {
    #expect(throws: SystemError.self) {
      _ = try MappedMemory(adopting: FileDescriptor(adopting: open("/dev/null", O_RDWR)))
    }
  }
}
