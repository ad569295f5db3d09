import CShims
import Glibc

/// Whether a block of memory should lie on huge pages.
public enum HugePages: Sendable {
  /// Reserved huge pages if enough are free, else transparent ones, else small pages: never an error.
  case preferred
  /// Small pages.
  case never
}

/// Sole owner of a block of zeroed memory outside the heap: frames, connection tables.
///
/// Huge pages matter here because both are walked at random: one TLB entry then covers 2 MiB instead of 4 KiB.
/// Reserved pages are used when the operator has set some aside (`vm.nr_hugepages`) and enough of them are free;
/// otherwise the kernel is asked to use transparent ones, which needs the block to start at a multiple of 2 MiB.
///
/// The shared kind lies in a memfd, so that another process which is handed the descriptor can map the same memory.
public struct MappedMemory: ~Copyable, @unchecked Sendable {
  /// First byte; at a multiple of 2 MiB.
  public let base: UnsafeMutableRawPointer
  /// Bytes mapped; at least what was asked for.
  public let byteCount: Int
  /// Whether huge pages were reserved, or transparent ones are on and were asked for.
  public let usesHugePages: Bool
  /// The memfd behind shared memory, or -1 for private memory. Closed with the memory.
  public let descriptor: Int32

  /// Size of a huge page, and alignment of every block.
  public static var hugePageByteCount: Int { 2 << 20 }

  /// Private memory.
  /// - Parameter prefault: give every page its memory now, so that no page fault meets a packet.
  public init(byteCount: Int, hugePages: HugePages = .preferred, prefault: Bool = false) throws {
    let size = try MappedMemory.roundedUp(byteCount)
    let step = "map \(size >> 20) MiB of memory"
    let block: (base: UnsafeMutableRawPointer, huge: Bool)
    if hugePages == .preferred, MappedMemory.areReservedPagesFree(byteCount: size),
      let base = MappedMemory.map(size, flags: MAP_PRIVATE | MAP_ANONYMOUS | Int32(MAP_HUGETLB), descriptor: -1)
    {
      block = (base, true)
    } else {
      let base = try MappedMemory.mapAligned(size, flags: MAP_PRIVATE | MAP_ANONYMOUS, descriptor: -1, step: step)
      block = (base, hugePages == .preferred && MappedMemory.adviseHuge(base, size, knob: "enabled"))
    }
    if prefault { MappedMemory.touch(block.base, size) }
    self.base = block.base
    self.byteCount = size
    usesHugePages = block.huge
    descriptor = -1
  }

  /// Shared memory in a memfd that shows as `name` in `/proc/PID/fd`.
  public init(
    sharedNamed name: String, byteCount: Int, hugePages: HugePages = .preferred, prefault: Bool = false
  ) throws {
    let size = try MappedMemory.roundedUp(byteCount)
    let step = "map \(size >> 20) MiB of shared memory \(name)"
    if hugePages == .preferred, MappedMemory.areReservedPagesFree(byteCount: size) {
      let file = lbd_memory_file(name, 1)
      if file >= 0 {
        if ftruncate(file, size) == 0, let base = MappedMemory.map(size, flags: MAP_SHARED, descriptor: file) {
          if prefault { MappedMemory.touch(base, size) }
          self.init(base: base, byteCount: size, usesHugePages: true, descriptor: file)
          return
        }
        close(file)
      }
    }
    let number = lbd_memory_file(name, 0)
    guard number >= 0 else { throw SystemError(step, errno: number) }
    let file = FileDescriptor(adopting: number)
    guard ftruncate(number, size) == 0 else { throw SystemError.current(step) }
    let base = try MappedMemory.mapAligned(size, flags: MAP_SHARED, descriptor: number, step: step)
    let huge = hugePages == .preferred && MappedMemory.adviseHuge(base, size, knob: "shmem_enabled")
    if prefault { MappedMemory.touch(base, size) }
    self.init(base: base, byteCount: size, usesHugePages: huge, descriptor: file.release())
  }

  /// Maps the memory behind a memfd that another process made; its size is the file's.
  public init(adopting file: consuming FileDescriptor) throws {
    let step = "adopt shared memory"
    var status = stat()
    guard fstat(file.number, &status) == 0 else { throw SystemError.current(step) }
    let size = Int(status.st_size)
    guard size > 0, size % MappedMemory.hugePageByteCount == 0 else {
      throw SystemError(step, errno: EINVAL, remedy: "the descriptor is not a memory block of this program")
    }
    let base = try MappedMemory.mapAligned(size, flags: MAP_SHARED, descriptor: file.number, step: step)
    // tmpfs and hugetlbfs report their page size here.
    let huge = Int(status.st_blksize) >= MappedMemory.hugePageByteCount
    self.init(base: base, byteCount: size, usesHugePages: huge, descriptor: file.release())
  }

  private init(base: UnsafeMutableRawPointer, byteCount: Int, usesHugePages: Bool, descriptor: Int32) {
    self.base = base
    self.byteCount = byteCount
    self.usesHugePages = usesHugePages
    self.descriptor = descriptor
  }

  deinit {
    munmap(base, byteCount)
    if descriptor >= 0 { close(descriptor) }
  }

  private static func roundedUp(_ byteCount: Int) throws -> Int {
    guard byteCount > 0, byteCount <= Int.max / 4 else {
      throw SystemError("map \(byteCount) bytes of memory", errno: EINVAL)
    }
    return (byteCount + hugePageByteCount - 1) & ~(hugePageByteCount - 1)
  }

  private static func map(
    _ size: Int, flags: Int32, descriptor: Int32, at address: UnsafeMutableRawPointer? = nil
  ) -> UnsafeMutableRawPointer? {
    let result = mmap(address, size, PROT_READ | PROT_WRITE, flags, descriptor, 0)
    return result == UnsafeMutableRawPointer(bitPattern: -1) ? nil : result
  }

  /// Reserves address space for one huge page more, maps over its aligned part and gives back the rest.
  private static func mapAligned(
    _ size: Int, flags: Int32, descriptor: Int32, step: String
  ) throws -> UnsafeMutableRawPointer {
    let room = size + hugePageByteCount
    let reserved = mmap(nil, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | Int32(MAP_NORESERVE), -1, 0)
    guard let reserved, reserved != UnsafeMutableRawPointer(bitPattern: -1) else { throw SystemError.current(step) }
    let start = reserved.alignedUp(toMultipleOf: hugePageByteCount)
    guard let base = map(size, flags: flags | MAP_FIXED, descriptor: descriptor, at: start) else {
      let error = SystemError.current(step)
      munmap(reserved, room)
      throw error
    }
    let before = start - reserved
    if before > 0 { munmap(reserved, before) }
    if before < hugePageByteCount { munmap(start + size, hugePageByteCount - before) }
    return base
  }

  private static func areReservedPagesFree(byteCount: Int) -> Bool {
    let text = KernelFile.read("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
    return (text.flatMap { Int($0) } ?? 0) >= byteCount / hugePageByteCount
  }

  private static func adviseHuge(_ base: UnsafeMutableRawPointer, _ size: Int, knob: String) -> Bool {
    let setting = KernelFile.read("/sys/kernel/mm/transparent_hugepage/\(knob)") ?? "[never]"
    let isAccepted = madvise(base, size, Int32(MADV_HUGEPAGE)) == 0
    return isAccepted && !setting.contains("[never]") && !setting.contains("[deny]")
  }

  private static func touch(_ base: UnsafeMutableRawPointer, _ size: Int) {
    guard lbd_memory_populate(base, UInt64(size)) != 0 else { return }
    for offset in stride(from: 0, to: size, by: 4096) {
      base.storeBytes(of: base.load(fromByteOffset: offset, as: UInt8.self), toByteOffset: offset, as: UInt8.self)
    }
  }
}
