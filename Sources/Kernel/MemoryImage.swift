import Glibc

/// A private image of memory that others go on writing: empty at first, it gets what is touched, unit by unit.
///
/// For trying something out on a state that is far too large to be copied. Whoever tries works on the image as if it were
/// the original; afterwards `takeTouched` says whether anything was touched that had not been copied before. If so, it has
/// been copied by now, and all is done once more, from the copies (`restore`); if not, everything that was read was what the
/// original has, and nothing of the original was written. The kernel knows what was touched: pages of anonymous memory
/// are there only once they have been.
public final class MemoryImage {
  /// How units are copied.
  public struct Units {
    /// A multiple of a page.
    public var byteCount: Int
    /// Done before a unit is copied, so that nobody writes to it meanwhile.
    public var hold: (Int) -> Void = { _ in }
    /// Done afterwards.
    public var release: (Int) -> Void = { _ in }
    /// What a unit has in it that was not copied: done at every `restore`, and touches its first page only. nil: nothing.
    public var prepare: ((Int, UnsafeMutableRawPointer) -> Void)?
    /// Done to a copy each time it is put back.
    public var amend: (UnsafeMutableRawPointer) -> Void = { _ in }

    /// Units of the given size.
    public init(byteCount: Int = MemoryImage.pageByteCount) { self.byteCount = byteCount }
  }

  /// Size of a page.
  public static var pageByteCount: Int { 4096 }
  /// First byte, aligned like a `MappedMemory`.
  public let base: UnsafeMutableRawPointer
  private let byteCount: Int
  private let original: UnsafeRawPointer
  private let units: Units
  private var copies: [Int: UnsafeMutableRawPointer] = [:]
  private var residents: UnsafeMutablePointer<UInt8>

  /// - Parameters:
  ///   - original: aligned to a page.
  ///   - byteCount: of the original.
  public init(of original: UnsafeRawPointer, byteCount: Int, units: Units = Units()) throws {
    let unit = units.byteCount
    let size = (byteCount + unit - 1) / unit * unit
    // Only what is touched takes memory, so the promise may be larger than what the machine has.
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | Int32(MAP_NORESERVE)
    let result = mmap(nil, size, PROT_READ | PROT_WRITE, flags, -1, 0)
    guard let result, result != UnsafeMutableRawPointer(bitPattern: -1) else {
      throw SystemError.current("map an image of \(size >> 20) MiB")
    }
    // A huge page would count as touched with its first byte.
    _ = madvise(result, size, Int32(MADV_NOHUGEPAGE))
    base = result
    self.byteCount = size
    self.original = original
    self.units = units
    residents = .allocate(capacity: size / MemoryImage.pageByteCount)
  }

  deinit {
    forget()
    munmap(base, byteCount)
    residents.deallocate()
  }

  /// How many units have been copied.
  public var copyCount: Int { copies.count }

  /// Lets go of all copies.
  public func forget() {
    for copy in copies.values { copy.deallocate() }
    copies = [:]
    _ = madvise(base, byteCount, Int32(MADV_DONTNEED))
  }

  /// Makes the image what it was before it was worked on: the copies, and nothing else.
  public func restore() {
    _ = madvise(base, byteCount, Int32(MADV_DONTNEED))
    if let prepare = units.prepare {
      for unit in 0..<byteCount / units.byteCount where copies[unit] == nil { prepare(unit, address(unit)) }
    }
    for (unit, copy) in copies {
      address(unit).copyMemory(from: copy, byteCount: units.byteCount)
      units.amend(address(unit))
    }
  }

  /// Copies what has been touched since `restore` and was not copied yet.
  /// - Returns: true when there was something.
  public func takeTouched() throws -> Bool {
    let page = MemoryImage.pageByteCount
    guard mincore(base, byteCount, residents) == 0 else { throw SystemError.current("look at an image's pages") }
    let pagesPerUnit = units.byteCount / page
    let skipped = units.prepare == nil ? 0 : 1
    let words = UnsafeRawPointer(residents)
    let pageCount = byteCount / page
    var hasNew = false
    var index = 0
    while index < pageCount {
      // Most of it has never been touched: eight pages at a time.
      if index & 7 == 0, index + 8 <= pageCount, words.loadUnaligned(fromByteOffset: index, as: UInt64.self) == 0 {
        index += 8
        continue
      }
      let unit = index / pagesPerUnit
      if residents[index] & 1 != 0, index % pagesPerUnit >= skipped, copies[unit] == nil {
        copy(unit)
        hasNew = true
      }
      index += 1
    }
    return hasNew
  }

  private func address(_ unit: Int) -> UnsafeMutableRawPointer { base + unit * units.byteCount }

  /// Of memory that is written meanwhile, as it stood at one moment if there is such a moment among the first few.
  private func copy(_ unit: Int) {
    let count = units.byteCount
    let copy = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: 64)
    let source = original + unit * count
    units.hold(unit)
    for _ in 0..<MemoryImage.attempts {
      copy.copyMemory(from: source, byteCount: count)
      if memcmp(copy, source, count) == 0 { break }
    }
    units.release(unit)
    copies[unit] = copy
  }

  private static let attempts = 16
}
