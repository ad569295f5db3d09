import CShims
import Glibc

/// A map of a loaded BPF object, borrowed: it is valid as long as the object lives.
///
/// Keys and values are raw bytes of the map's sizes. Layouts shared with the programs are in `bpf/lb_shared.h`.
public struct BPFMap: Sendable {
  /// The map's name in its object.
  public let name: String
  /// The map's descriptor; not owned.
  public let descriptor: Int32
  /// Bytes of a key.
  public let keyByteCount: Int
  /// Bytes of a value, for one CPU in a per-CPU map.
  public let valueByteCount: Int
  /// How many entries the map can hold.
  public let entryCount: Int
  /// True when every CPU has a value of its own.
  public let isPerCPU: Bool

  static func isPerCPU(_ type: bpf_map_type) -> Bool {
    [BPF_MAP_TYPE_PERCPU_ARRAY, BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH].contains(type)
  }

  /// Writes an entry, new or not.
  public func update(key: UnsafeRawPointer, value: UnsafeRawPointer) throws {
    let result = bpf_map_update_elem(descriptor, key, value, UInt64(BPF_ANY))
    guard result == 0 else {
      let remedy = -result == E2BIG ? "it holds \(entryCount) entries and is full" : nil
      throw SystemError("write to BPF map \(name)", errno: result, remedy: remedy)
    }
  }

  /// Removes an entry.
  /// - Returns: false when there was none.
  @discardableResult
  public func delete(key: UnsafeRawPointer) throws -> Bool {
    let result = bpf_map_delete_elem(descriptor, key)
    if result == -ENOENT { return false }
    guard result == 0 else { throw SystemError("delete from BPF map \(name)", errno: result) }
    return true
  }

  /// Copies an entry's value to `value`, which has room for it: `valueByteCount` bytes, or for every possible CPU as
  /// many, rounded up to eight.
  /// - Returns: false when there is no such entry.
  public func lookup(key: UnsafeRawPointer, value: UnsafeMutableRawPointer) throws -> Bool {
    let result = bpf_map_lookup_elem(descriptor, key, value)
    if result == -ENOENT { return false }
    guard result == 0 else { throw SystemError("read BPF map \(name)", errno: result) }
    return true
  }

  /// Calls `body` with each key. Entries may be changed meanwhile, but not removed: the walk would start again.
  public func forEachKey(_ body: (UnsafeRawPointer) throws -> Void) throws {
    let keys = UnsafeMutableRawPointer.allocate(byteCount: keyByteCount * 2, alignment: 8)
    defer { keys.deallocate() }
    let next = keys + keyByteCount
    var result = bpf_map_get_next_key(descriptor, nil, next)
    while result == 0 {
      keys.copyMemory(from: next, byteCount: keyByteCount)
      try body(keys)
      result = bpf_map_get_next_key(descriptor, keys, next)
    }
    guard result == -ENOENT else { throw SystemError("walk BPF map \(name)", errno: result) }
  }

  /// The sum over all CPUs of a 64-bit value in a per-CPU array.
  public func sum(at index: UInt32) throws -> UInt64 {
    precondition(isPerCPU && keyByteCount == 4 && valueByteCount == 8, "\(name) does not hold per-CPU counters")
    let count = libbpf_num_possible_cpus()
    guard count > 0 else { throw SystemError("count CPUs", errno: count) }
    var values = [UInt64](repeating: 0, count: Int(count))
    var key = index
    let found = try values.withUnsafeMutableBytes { bytes in
      guard let base = bytes.baseAddress else { return false }
      return try lookup(key: &key, value: base)
    }
    guard found else { throw SystemError("read BPF map \(name)", errno: ENOENT, remedy: "no entry \(index)") }
    return values.reduce(0, &+)
  }
}

/// A BPF map with its key and value types: plain bits in the layout that the programs use.
public struct BPFMapOf<Key: BitwiseCopyable & Sendable, Value: BitwiseCopyable & Sendable>: Sendable {
  /// The map underneath.
  public let map: BPFMap

  /// A typed view of `map`, whose sizes must be those of the types.
  public init(_ map: BPFMap) {
    precondition(!map.isPerCPU && map.keyByteCount == MemoryLayout<Key>.size, "wrong key type for \(map.name)")
    precondition(map.valueByteCount == MemoryLayout<Value>.size, "wrong value type for \(map.name)")
    self.map = map
  }

  /// The value at `key`; nil when there is none.
  public func lookup(_ key: Key) throws -> Value? {
    try withUnsafeTemporaryAllocation(of: Value.self, capacity: 1) { room -> Value? in
      guard let value = room.baseAddress else { return nil }
      return try withUnsafePointer(to: key) { try map.lookup(key: $0, value: value) } ? value.pointee : nil
    }
  }

  /// Writes the entry, new or not.
  public func update(_ key: Key, _ value: Value) throws {
    try withUnsafePointer(to: key) { key in
      try withUnsafePointer(to: value) { value in try map.update(key: key, value: value) }
    }
  }

  /// Removes the entry.
  /// - Returns: false when there was none.
  @discardableResult
  public func delete(_ key: Key) throws -> Bool {
    try withUnsafePointer(to: key) { try map.delete(key: $0) }
  }

  /// Calls `body` with each key; see `BPFMap.forEachKey`.
  public func forEachKey(_ body: (Key) throws -> Void) throws {
    try map.forEachKey { try body($0.loadUnaligned(as: Key.self)) }
  }
}
